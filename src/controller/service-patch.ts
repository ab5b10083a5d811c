import { ANNOTATION, CONDITION } from "../api/names.ts";
import type { Condition, Service, ServiceIngress } from "../api/objects.ts";
import type { ASSIGNED_REASONS } from "../api/reasons.ts";
import type { Outcome } from "../ipam/address-book.ts";
import { formatIP } from "../ipam/addresses.ts";
import type { Assignment } from "../ipam/demand.ts";
import { verdictText } from "./verdict-text.ts";

/** A merge patch (RFC 7386) of a Service's status; null removes a field. */
export interface ServicePatch {
  readonly metadata?: { readonly annotations: Readonly<Record<string, string | null>> };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress: readonly ServiceIngress[] | null };
    readonly conditions?: readonly Condition[];
  };
}

export interface PatchOptions {
  /** Tells whether an address is Herald's to take out of a status: one that a pool contains. */
  readonly inPool: (ip: string) => boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Gives the patch that makes a Service say what `outcome` is; undefined where it says so already. All of it goes into one
 * write, so that the status, its record and its condition never disagree.
 */
export function servicePatch(service: Service, outcome: Outcome, options: PatchOptions): ServicePatch | undefined {
  if (outcome.state === "Leaving") return undefined;
  const held = outcome.state === "Assigned" ? outcome.assignment : outcome.keeps;
  const { reason, message } = verdict(outcome);
  const status = outcome.state === "Assigned" ? "True" : "False";
  return compose(
    held || !isAwaitingPool(service, options.inPool) ? recordPatch(service, held) : undefined,
    held ? heldIngress(service, held) : remainingIngress(service, options.inPool),
    conditionsWith(service.conditions, { type: CONDITION.assigned, status, reason, message }, options.now),
  );
}

/** Gives the patch that takes Herald's record and condition off a Service that it does not serve; undefined where there is none. */
export function forgetPatch(service: Service): ServicePatch | undefined {
  const others = service.conditions.filter(({ type }) => type !== CONDITION.assigned);
  return compose(
    recordPatch(service, undefined),
    undefined,
    others.length < service.conditions.length ? others : undefined,
  );
}

/** What the condition Assigned says of an outcome. */
export function verdict(outcome: Exclude<Outcome, { state: "Leaving" }>): {
  reason: (typeof ASSIGNED_REASONS)[number];
  message: string;
} {
  if (outcome.state === "Assigned") return { reason: "Assigned", message: assignmentText(outcome.assignment) };
  const why = verdictText(outcome.verdict);
  const keeps = outcome.keeps && `keeps ${assignmentText(outcome.keeps)}, and waits for more: `;
  return { reason: outcome.verdict.reason, message: `${keeps ?? ""}${why}` };
}

function assignmentText({ pool, ips }: Assignment): string {
  return `${ips.map(formatIP).join(" and ")} from pool "${pool}"`;
}

function recordPatch({ meta }: Service, held: Assignment | undefined): Record<string, string | null> | undefined {
  const wanted: Record<string, string | undefined> = {
    [ANNOTATION.assignedPool]: held?.pool,
    [ANNOTATION.assignedIPs]: held?.ips.map(formatIP).join(","),
    [ANNOTATION.assignedAt]: held && new Date(held.at).toISOString(),
  };
  const changed = Object.entries(wanted).filter(([name, value]) => meta.annotations[name] !== value);
  if (changed.length === 0) return undefined;
  return Object.fromEntries(changed.map(([name, value]) => [name, value ?? null]));
}

/** Tells whether no pool has the recorded addresses, as after a restore: the record asks for them until one comes. */
function isAwaitingPool({ meta }: Service, inPool: (ip: string) => boolean): boolean {
  return !(meta.annotations[ANNOTATION.assignedIPs] ?? "").split(",").some(inPool);
}

function heldIngress({ ingress }: Service, held: Assignment): readonly ServiceIngress[] | undefined {
  const wanted = held.ips.map((ip) => ({ ip: formatIP(ip), ipMode: "VIP" }));
  const same =
    ingress.length === wanted.length &&
    wanted.every(({ ip, ipMode }, at) => {
      const has = ingress[at];
      return has?.ip === ip && has.ipMode === ipMode && has.hostname === undefined;
    });
  return same ? undefined : wanted;
}

/** What stays of the status of a Service that holds nothing: addresses that Herald has nothing to do with. */
function remainingIngress(service: Service, inPool: (ip: string) => boolean): readonly ServiceIngress[] | undefined {
  const noted = service.meta.annotations[ANNOTATION.assignedIPs]?.split(",") ?? [];
  const others = service.ingress.filter(({ ip }) => ip === undefined || !(noted.includes(ip) || inPool(ip)));
  return others.length < service.ingress.length ? others : undefined;
}

/** Gives the conditions with `wanted` among them; undefined where they say it already. */
export function conditionsWith(
  conditions: readonly Condition[],
  wanted: Omit<Condition, "lastTransitionTime">,
  now: number,
): readonly Condition[] | undefined {
  const known = conditions.find(({ type }) => type === wanted.type);
  const same = (["status", "reason", "message", "observedGeneration"] as const).every(
    (field) => known?.[field] === wanted[field],
  );
  if (known && same) return undefined;
  const lastTransitionTime =
    known?.status === wanted.status && known.lastTransitionTime !== ""
      ? known.lastTransitionTime
      : new Date(Math.floor(now / 1000) * 1000).toISOString().replace(".000Z", "Z");
  const condition = { ...wanted, lastTransitionTime };
  return known ? conditions.map((one) => (one === known ? condition : one)) : [...conditions, condition];
}

function compose(
  annotations: Record<string, string | null> | undefined,
  ingress: readonly ServiceIngress[] | undefined,
  conditions: readonly Condition[] | undefined,
): ServicePatch | undefined {
  if (!annotations && !ingress && !conditions) return undefined;
  return {
    ...(annotations && { metadata: { annotations } }),
    ...((ingress || conditions) && {
      status: {
        ...(ingress && { loadBalancer: { ingress: ingress.length > 0 ? ingress : null } }),
        ...(conditions && { conditions }),
      },
    }),
  };
}
