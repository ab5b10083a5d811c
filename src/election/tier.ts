/** A candidate that is there to be asked, and all that speaks for or against it. Everything is soft: somebody always is first. */
export interface Contender {
  readonly node: string;
  /** It wants to go. */
  readonly leaving: boolean;
  /** It is away for a moment: it keeps what it has, and gets nothing more. */
  readonly restarting: boolean;
  /** Its node proxy does not forward. */
  readonly notForwarding: boolean;
  /** It was dead less than a while ago. Never set for oneself. */
  readonly rejoining: boolean;
  /** Preference. */
  readonly score: number;
}

/** Orders two contenders by tier alone; negative: `a` is in the higher tier, 0: they are in the same. */
export function compareTier(a: Contender, b: Contender): number {
  return (
    Number(a.leaving || a.restarting) - Number(b.leaving || b.restarting) ||
    Number(a.notForwarding) - Number(b.notForwarding) ||
    Number(a.rejoining) - Number(b.rejoining) ||
    b.score - a.score
  );
}

/** Finds a node among contenders. Remembered by list, since many IPs share one. */
export function contenderOf(contenders: readonly Contender[], node: string): Contender | undefined {
  let byNode = indexes.get(contenders);
  if (byNode === undefined) {
    byNode = new Map(contenders.map((contender) => [contender.node, contender]));
    indexes.set(contenders, byNode);
  }
  return byNode.get(node);
}

/** Gives the contenders that no other is above, in the order given. Remembered by list. */
export function topTier(contenders: readonly Contender[]): readonly Contender[] {
  let top = tops.get(contenders);
  if (top === undefined) {
    top = findTop(contenders);
    tops.set(contenders, top);
  }
  return top;
}

const indexes = new WeakMap<readonly Contender[], ReadonlyMap<string, Contender>>();
const tops = new WeakMap<readonly Contender[], readonly Contender[]>();

function findTop(contenders: readonly Contender[]): readonly Contender[] {
  let top: Contender[] = [];
  for (const contender of contenders) {
    const first = top[0];
    const order = first === undefined ? -1 : compareTier(contender, first);
    if (order < 0) top = [contender];
    else if (order === 0) top.push(contender);
  }
  return top;
}
