/** What a person must mend before anything can go on: one line that says what is wrong and the remedy. */
export class Problem extends Error {}
