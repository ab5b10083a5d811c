/**
 * Work in small steps, so that others get their turns in between, however long it is. What it changes may not be looked
 * at before it has come to its end.
 */
export type Steps<T> = Generator<undefined, T>;
