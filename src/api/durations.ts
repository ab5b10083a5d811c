/** Lengths of time in the fields of Herald's kinds: text as Kubernetes writes it, in whole numbers: "9s", "1m30s", "300ms". */

/** No time is longer; and a sum of these fits into the nanoseconds that CEL counts in. */
const NUMBER = "[0-9]{1,6}";
const PATTERN = `^(0|(${NUMBER}h)?(${NUMBER}m)?(${NUMBER}s)?(${NUMBER}ms)?)$`;
const DURATION = new RegExp(PATTERN);
const UNITS = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;

/** Reads a duration: milliseconds, or undefined where it is none. */
export function durationMs(text: string): number | undefined {
  if (text === "" || !DURATION.test(text)) return undefined;
  const parts = text.matchAll(/(\d+)(ms|[hms])/g);
  return [...parts].reduce((ms, [, number, unit]) => ms + Number(number) * UNITS[unit as keyof typeof UNITS], 0);
}

/** What a field that holds a duration takes. */
export interface DurationLimits {
  readonly leastMs: number;
  readonly mostMs: number;
  /** Whether the protocol counts it in seconds. */
  readonly wholeSeconds?: true;
}

/** Says why `text` is no duration within the limits, completing the sentence `"<text>" ...`; undefined where it is one. */
export function whyNotDuration(text: string, limits: DurationLimits): string | undefined {
  const { leastMs, mostMs, wholeSeconds } = limits;
  const ms = durationMs(text);
  if (ms === undefined) return NO_DURATION;
  if (ms < leastMs || ms > mostMs) return outside(limits);
  return wholeSeconds && ms % 1000 !== 0 ? FRACTION : undefined;
}

/** The same for the API server, in CEL. */
export function durationRules(limits: DurationLimits) {
  const { leastMs, mostMs, wholeSeconds } = limits;
  const ok = isDuration("self");
  const within = `duration(self) >= duration('${leastMs}ms') && duration(self) <= duration('${mostMs}ms')`;
  return [
    rule(ok, NO_DURATION, "must be a duration"),
    rule(`!(${ok}) || ${within}`, outside(limits), "must be within its limits"),
    ...(wholeSeconds
      ? [rule(`!(${ok}) || !(${within}) || ${isWhole("self")}`, FRACTION, "must be of whole seconds")]
      : []),
  ];
}

/** CEL: tells whether `duration()` takes the text that the expression gives. */
export function isDuration(expression: string): string {
  return `${expression} != '' && ${expression}.matches('${PATTERN}')`;
}

/** Writes a length of time as people do: "65535s", "300ms". */
export function formatMs(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

const NO_DURATION = 'is not a duration; write one like "9s", "1m30s" or "300ms", of whole numbers';
const FRACTION = "has a fraction of a second, and BGP counts whole ones; round it";

function outside({ leastMs, mostMs }: DurationLimits): string {
  return `is out of bounds; write ${formatMs(leastMs)} to ${formatMs(mostMs)}`;
}

/** CEL: tells whether a duration has no fraction of a second. */
function isWhole(expression: string): string {
  return `duration(${expression}).getMilliseconds() % 1000 == 0`;
}

function rule(rule: string, why: string, message: string) {
  return { rule, messageExpression: `'"' + self + '" ${why}'`, message };
}
