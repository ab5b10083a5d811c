/** Does long work to its end at once that could be done in steps, and gives its result. */
export function exhaust<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
