/** Says what happens, for a person: steps, what was seen in each, and how it ended. */
export interface Teller {
  step(title: string): void;
  say(text: string): void;
  done(text: string): void;
  failed(text: string): void;
}

/** `color`: for a terminal that shows it. */
export function createTeller(write: (text: string) => void, color: boolean): Teller {
  const paint = (code: number, text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const begun = performance.now();
  const time = () => paint(2, `${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s `);
  return {
    step: (title) => write(`\n${time()} ${paint(1, title)}\n`),
    say: (text) => write(`${time()}   ${text}\n`),
    done: (text) => write(`${time()}   ${paint(32, "ok")} ${text}\n`),
    failed: (text) => write(`${time()}   ${paint(31, "FAILED")} ${text}\n`),
  };
}
