import type { ClaimView } from "../l2/segment.ts";
import { PersistentMap } from "../persistent-map.ts";
import type { SegmentReport, SegmentState } from "./segment-messages.ts";

/** Brings the claims of an interface up to date; the same map where nothing changed. `before`: none was told of yet. */
export function toldClaims(
  before: SegmentState["claims"] | undefined,
  news: SegmentReport["claims"],
): SegmentState["claims"] {
  const known = before ?? NO_CLAIMS;
  if (news === undefined) return known;
  const gone = news.removed.map((ip) => [ip, undefined] as const);
  return (news.whole ? NO_CLAIMS : known).with([...gone, ...news.set.map((claim) => [claim.ip, claim] as const)]);
}

const NO_CLAIMS = PersistentMap.from<ClaimView>([]);
