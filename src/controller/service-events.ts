import { CONDITION } from "../api/names.ts";
import type { Service } from "../api/objects.ts";
import { assignedVerdict, strandedVerdict, type Told } from "./service-patch.ts";
import type { ToldEvent } from "./told-event.ts";

type ServiceEvent = ToldEvent<"Assigned" | "AssignmentFailed" | "Stranded">;

/** Gives the events that a written outcome is worth: where it changed what the conditions say, and not only how. */
export function serviceEvents(before: Service, outcome: Told): readonly ServiceEvent[] {
  const known = (wanted: string) => before.conditions.find(({ type }) => type === wanted);
  const { status, reason, message } = assignedVerdict(outcome, before);
  const was = known(CONDITION.assigned);
  const events: ServiceEvent[] = [];
  if (status === "True" && was?.message !== message)
    events.push({ type: "Normal", reason: "Assigned", cause: reason, note: message });
  if (status === "False" && was?.reason !== reason)
    events.push({ type: "Warning", reason: "AssignmentFailed", cause: reason, note: message });
  const stranded = outcome.stranded && strandedVerdict(outcome.stranded);
  if (stranded && known(CONDITION.stranded)?.reason !== stranded.reason)
    events.push({ type: "Warning", reason: "Stranded", cause: stranded.reason, note: stranded.message });
  return events;
}
