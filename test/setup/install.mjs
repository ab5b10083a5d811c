import { alone } from "./lock.mjs";
import { progress } from "./progress.mjs";

/**
 * Installs what is missing, in order. A part says what it lacks (`missing`, quick), how that is called (`title`), how to
 * get it (`install`), and under which name only one process at a time does so (`lock`).
 */
export async function install(parts) {
  const lacking = parts.filter((part) => part.missing().length > 0);
  for (const [index, part] of lacking.entries()) {
    const count = `[${index + 1}/${lacking.length}]`;
    const waiting = (holder) =>
      console.log(`${count} waiting for process ${holder.split(" ")[0]}, which is at it already`);
    await alone(part.lock, waiting, async () => {
      // Another process may have done it in the meantime.
      if (part.missing().length > 0) await progress(`${count} ${part.title()}`, () => part.install());
    });
  }
}
