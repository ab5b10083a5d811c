import { ANNOTATION, CONDITION } from "../api/names.ts";
import type { Condition, Service, ServiceIngress } from "../api/objects.ts";
import type { ASSIGNED_REASONS, STRANDED_REASONS } from "../api/reasons.ts";
import type { Outcome } from "../ipam/address-book.ts";
import { formatIP } from "../ipam/addresses.ts";
import type { Assignment } from "../ipam/demand.ts";
import type { Stranding } from "../ipam/verdict.ts";
import { conditionsWith } from "../kube/conditions.ts";
import { quote } from "./quote.ts";
import { strandingText, verdictText } from "./verdict-text.ts";

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

/** What a Service is told of: an outcome in which all that decides is known. */
export type Told = Extract<Outcome, { state: "Assigned" | "Waiting" }>;

/** Tells whether there is anything to say yet. */
export function isTold(outcome: Outcome | undefined): outcome is Told {
  return outcome?.state === "Assigned" || outcome?.state === "Waiting";
}

/**
 * Gives the patch that makes a Service say what `outcome` is; undefined where it says so already. All of it goes into one
 * write, so that the status, its record and its conditions never disagree, and `reassign` is done once.
 */
export function servicePatch(service: Service, outcome: Told, options: PatchOptions): ServicePatch | undefined {
  const held = holding(outcome);
  const told = [{ type: CONDITION.assigned, ...assignedVerdict(outcome, service) }];
  const stranded = outcome.stranded && { type: CONDITION.stranded, ...strandedVerdict(outcome.stranded) };
  return compose(
    {
      ...(held || !isAsking(service) ? recordPatch(service, held) : {}),
      ...(outcome.reassigned && ANNOTATION.reassign in service.meta.annotations && { [ANNOTATION.reassign]: null }),
    },
    held ? heldIngress(service, held) : remainingIngress(service, options.inPool),
    conditionsWith(
      service.conditions,
      stranded ? [...told, stranded] : told,
      options.now,
      stranded ? [] : [CONDITION.stranded],
    ),
  );
}

/** Gives the patch that takes Herald's record and conditions off a Service that it does not serve; undefined where there are none. */
export function forgetPatch(service: Service): ServicePatch | undefined {
  return compose(
    recordPatch(service, undefined),
    undefined,
    conditionsWith(service.conditions, [], 0, Object.values(CONDITION)),
  );
}

/**
 * Gives the patch that takes from a Service that is being deleted what it has lost to another: its record would be the
 * older one after a restart. Undefined where there is nothing to take.
 */
export function leavingPatch(service: Service, { inPool }: Pick<PatchOptions, "inPool">): ServicePatch | undefined {
  return compose(recordPatch(service, undefined), remainingIngress(service, inPool), undefined);
}

/** What a condition says. */
export interface Saying {
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** What the condition Assigned says of an outcome. */
export function assignedVerdict(
  outcome: Told,
  service: Service,
): Saying & { readonly reason: (typeof ASSIGNED_REASONS)[number] } {
  if (outcome.state === "Assigned")
    return { status: "True", reason: "Assigned", message: assignmentText(outcome.assignment) };
  const why = verdictText(outcome.verdict, service);
  const keeps = outcome.keeps ? `keeps ${assignmentText(outcome.keeps)}, and waits: ` : "";
  return { status: "False", reason: outcome.verdict.reason, message: `${keeps}${why}` };
}

/** What the condition Stranded says while it is there. */
export function strandedVerdict(stranded: Stranding): Saying & { readonly reason: (typeof STRANDED_REASONS)[number] } {
  return { status: "True", reason: stranded.why, message: strandingText(stranded) };
}

function holding(outcome: Told): Assignment | undefined {
  return outcome.state === "Assigned" ? outcome.assignment : outcome.keeps;
}

function assignmentText({ pool, ips }: Assignment): string {
  return `${ips.map(formatIP).join(" and ")} from pool ${quote(pool)}`;
}

function recordPatch({ meta }: Service, held: Assignment | undefined): Record<string, string | null> {
  const wanted: Record<string, string | undefined> = {
    [ANNOTATION.assignedPool]: held?.pool,
    [ANNOTATION.assignedIPs]: held?.ips.map(formatIP).join(","),
    [ANNOTATION.assignedAt]: held && new Date(held.at).toISOString(),
  };
  const changed = Object.entries(wanted).filter(([name, value]) => meta.annotations[name] !== value);
  return Object.fromEntries(changed.map(([name, value]) => [name, value ?? null]));
}

/** Tells whether what is noted was not held lately, as after a restore: it asks for its old address until it has one. */
function isAsking(service: Service): boolean {
  const noted = notedIPs(service);
  return !service.ingress.some(({ ip }) => ip !== undefined && noted.includes(ip));
}

/** As they are written; no more than two were ever noted. */
function notedIPs({ meta }: Service): readonly string[] {
  return (meta.annotations[ANNOTATION.assignedIPs] ?? "").split(",", 2);
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
  const noted = notedIPs(service);
  const others = service.ingress.filter(({ ip }) => ip === undefined || !(noted.includes(ip) || inPool(ip)));
  return others.length < service.ingress.length ? others : undefined;
}

function compose(
  annotations: Readonly<Record<string, string | null>>,
  ingress: readonly ServiceIngress[] | undefined,
  conditions: readonly Condition[] | undefined,
): ServicePatch | undefined {
  const isNoted = Object.keys(annotations).length > 0;
  if (!isNoted && !ingress && !conditions) return undefined;
  return {
    ...(isNoted && { metadata: { annotations } }),
    ...((ingress || conditions) && {
      status: {
        ...(ingress && { loadBalancer: { ingress: ingress.length > 0 ? ingress : null } }),
        ...(conditions && { conditions }),
      },
    }),
  };
}
