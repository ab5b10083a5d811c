/** The names of well-known communities (IANA's registry "BGP Well-known Communities") that a pool may use. */
export const WELL_KNOWN_COMMUNITIES: ReadonlyMap<string, number> = new Map([
  ["graceful-shutdown", 0xffff_0000],
  ["blackhole", 0xffff_029a],
  ["no-export", 0xffff_ff01],
  ["no-advertise", 0xffff_ff02],
  ["no-export-subconfed", 0xffff_ff03],
  ["local-as", 0xffff_ff03],
  ["no-peer", 0xffff_ff04],
]);

/**
 * Says why `text` is no community, completing the sentence `"<text>" ...`; undefined where it is one: two numbers of
 * 16 bits (RFC 1997), "large:" and three of 32 bits (RFC 8092), or a well-known name.
 */
export function whyNotCommunity(text: string): string | undefined {
  if (WELL_KNOWN_COMMUNITIES.has(text)) return undefined;
  const large = text.startsWith("large:");
  const limit = large ? 0xffff_ffff : 0xffff;
  const numbers = text.split(":").slice(large ? 1 : 0);
  if (COMMUNITY.test(text) && numbers.every((number) => Number(number) <= limit)) return undefined;
  return `is not a community; ${REMEDY}`;
}

const NUMBER = "(0|[1-9][0-9]{0,9})";
// A Global Administrator of 0 is reserved (RFC 8092 section 5); Herald marks its own routes by it, and no mark leaves.
const PATTERN = `^(large:[1-9][0-9]{0,9}:)?${NUMBER}:${NUMBER}$`;
const COMMUNITY = new RegExp(PATTERN);
const NAMES = [...WELL_KNOWN_COMMUNITIES.keys()];
const REMEDY = `write one like "65000:100" (two numbers up to 65535), "large:65000:1:2" (three up to 4294967295, the first not 0) or one of ${NAMES.join(", ")}`;

/** The same for the API server, in CEL. */
export function communityRules() {
  const isNumbers = `self.matches('${PATTERN}')`;
  const areSmall = `self.split(':').all(part, part == 'large' || int(part) <= (self.startsWith('large') ? 4294967295 : 65535))`;
  return [
    {
      rule: `self in [${NAMES.map((name) => `'${name}'`).join(", ")}] || (${isNumbers} && ${areSmall})`,
      messageExpression: `'"' + self + '" is not a community; ${REMEDY}'`,
      message: "must be a community",
    },
  ];
}
