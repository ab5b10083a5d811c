import type { IPPoolStatus } from "../api/ippool.ts";
import type { ToldEvent } from "./told-event.ts";

/** What somebody did on purpose is no reason to warn. */
const INTENDED = ["Disabled", "Terminating"];

/** Gives the events that a change of an IPPool's conditions is worth: only where one turns, not where its text does. */
export function poolEvents(before: IPPoolStatus, after: IPPoolStatus): readonly ToldEvent[] {
  const turned = (type: string) => {
    const [was, is] = [before, after].map((status) => status.conditions?.find((one) => one.type === type));
    return is && (was?.status !== is.status || was.reason !== is.reason) ? { was, is } : undefined;
  };
  const events: ToldEvent[] = [];
  const tell = (type: ToldEvent["type"], reason: string, { reason: cause, message: note }: Told) =>
    events.push({ type, reason, cause, note });
  const ready = turned("Ready");
  if (ready?.is.status === "False")
    tell(INTENDED.includes(ready.is.reason) ? "Normal" : "Warning", ready.is.reason, ready.is);
  if (ready?.is.status === "True" && ready.was?.status === "False") tell("Normal", "Ready", ready.is);
  for (const type of ["Exhausted", "Stranded"]) {
    const bad = turned(type);
    if (bad?.is.status === "True") tell("Warning", type, bad.is);
  }
  return events;
}

type Told = NonNullable<IPPoolStatus["conditions"]>[number];
