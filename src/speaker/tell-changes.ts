import type { LogFields } from "../log.ts";
import type { OwnershipChange } from "./segment-messages.ts";

/** More changes of one kind at once than this are told in one line. */
const MOST_LINES = 10;
/** Of these, the first are named. */
const NAMED = 3;

/** Puts changes of ownership into words for the log: a line each, or one for all of a kind where there are many. */
export function tellChanges(changes: readonly OwnershipChange[]): readonly { text: string; fields: LogFields }[] {
  const kinds = Map.groupBy(changes, ({ what, cause, interface: name }) => `${what} ${cause} ${name}`);
  return [...kinds.values()].flatMap((alike) => {
    const [first] = alike;
    if (first === undefined) return [];
    const { what, cause, interface: name } = first;
    if (alike.length <= MOST_LINES)
      return alike.map(({ ip, epoch }) => ({ text: `${what} ${ip}`, fields: { interface: name, cause, epoch } }));
    const ips = alike.slice(0, NAMED).map(({ ip }) => ip);
    const text = `${what} ${alike.length} IPs: ${ips.join(", ")} and ${alike.length - NAMED} more`;
    return [{ text, fields: { interface: name, cause } }];
  });
}
