import { changedTexts, decodeClaims, type RecordedClaims } from "../api/claims.ts";
import { believedEpoch } from "../election/epoch.ts";
import { PersistentMap } from "../persistent-map.ts";

/** The epochs by IP in recorded claims, and what they were read from. */
export interface RecordedEpochs {
  readonly of: RecordedClaims;
  readonly epochs: PersistentMap<bigint>;
}

/**
 * Reads recorded claims. Of 10 000 in `before` only those are read that changed since; the map shares the rest, so that
 * whoever goes by it finds at once what is new.
 */
export function readEpochs(before: RecordedEpochs | undefined, recorded: RecordedClaims): RecordedEpochs {
  const [was, ...others] = before?.of ?? [];
  const [is, ...more] = recorded;
  const alone = others.length + more.length === 0; // who has an IP on two interfaces that share a segment is read anew
  if (before === undefined || was === undefined || is === undefined || !alone)
    return { of: recorded, epochs: PersistentMap.from(entriesOf(recorded)) };
  const { gone, come } = changedTexts(was.ips, is.ips);
  const left = entriesOf([{ ...was, ips: gone }]).map(([ip]) => [ip, undefined] as const);
  return { of: recorded, epochs: before.epochs.with([...left, ...entriesOf([{ ...is, ips: come }])]) };
}

function entriesOf(recorded: RecordedClaims): (readonly [ip: string, epoch: bigint])[] {
  return decodeClaims(recorded).map(({ ip, epoch }) => [ip, believedEpoch(epoch)] as const);
}
