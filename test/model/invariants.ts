import type { IPFamily } from "../../src/api/objects.ts";
import type { Demand } from "../../src/ipam/demand.ts";
import type { Refusal, Verdict } from "../../src/ipam/verdict.ts";
import { type Happening, type Held, type ModelPool, type Moment, provenBy } from "./cluster.ts";
import {
  askedFor,
  choices,
  clash,
  clashes,
  completions,
  familyOf,
  firstChoices,
  gives,
  hasSome,
  holdersOf,
  inOrder,
  isBeforeByName,
  isKnown,
  isMet,
  isOlder,
  isReady,
  isRequestMet,
  options,
  othersWith,
  overlapping,
  selectorsAgainst,
  strandedBy,
  wanted,
} from "./rules.ts";
import { ipOf, textOf } from "./small-world.ts";

/** Throws where the address contract does not hold. */
export function checkContract(happening: Happening): void {
  const { after } = happening;
  checkTold(happening);
  checkPools(after);
  checkShared(after);
  for (const [key, demand] of after.demands) {
    checkOutcome(after, key, demand);
    if (!isKnown(after, demand)) continue;
    checkKept(happening, key, demand);
    checkGiven(happening, key, demand);
    checkServed(after, key, demand);
    checkStranding(after, key, demand);
  }
  checkTurns(happening);
  checkFirstChoice(happening);
  checkCensus(after);
}

function must(holds: boolean, what: () => string): void {
  if (!holds) throw new Error(what());
}

/** Whose outcome is another has been named. */
function checkTold({ before, after, told, isStart }: Happening): void {
  if (isStart) return;
  for (const [key, text] of after.texts)
    must(
      told.has(key) || before.texts.get(key) === text,
      () => `${key} changed unsaid: ${before.texts.get(key)} -> ${text}`,
    );
}

/** No address has two holders but by the sharing rule. */
function checkShared({ held, demands }: Moment): void {
  const all = [...held];
  for (const [at, [key, { ips }]] of all.entries()) {
    for (const [other, theirs] of all.slice(0, at)) {
      const common = ips.find((ip) => theirs.ips.includes(ip));
      if (common === undefined) continue;
      const why = clash(demands.get(key) as Demand, demands.get(other) as Demand);
      must(why === undefined, () => `${key} and ${other} have ${common} and clash: ${why}`);
    }
  }
}

function checkPools(moment: Moment): void {
  const { book, pools } = moment;
  const names = book.pools.map(({ name }) => name);
  must(
    names.join() ===
      inOrder(moment)
        .map(({ name }) => name)
        .join(),
    () => `pools are tried in the order ${names}`,
  );
  const losers = overlapping(moment);
  for (const [name, pool] of pools) {
    const report = book.report(name);
    must(report !== undefined, () => `no report of pool ${name}`);
    if (report === undefined) return;
    const states = [
      ...(pool.deleting ? ["Terminating"] : []),
      ...(pool.contents.invalid ? ["Invalid"] : []),
      ...(losers.has(name) ? ["Overlapping"] : []),
      ...(pool.spec.disabled ? ["Disabled"] : []),
    ];
    const { state } = report.state;
    must(
      states.length > 0 ? states.includes(state) : state === "Valid",
      () => `pool ${name} is ${state}, not ${states}`,
    );
    if (moment.reserved.size === 0) checkCounts(moment, pool);
  }
}

function checkCounts(moment: Moment, pool: ModelPool): void {
  const report = moment.book.report(pool.name);
  if (report === undefined) return;
  const { contents, name } = pool;
  const holders = [...moment.held.values()].filter((held) => held.pool === name).length;
  must(report.holders === holders, () => `pool ${name} counts ${report.holders} holders of ${holders}`);
  const stranded = new Set<string>();
  for (const outcome of moment.outcomes.values())
    if ("stranded" in outcome && outcome.stranded?.pool === name)
      for (const ip of outcome.stranded?.ips ?? []) stranded.add(textOf(ip));
  must(report.stranded === stranded.size, () => `pool ${name} counts ${report.stranded} stranded of ${stranded.size}`);
  for (const [family, usage] of [
    ["IPv4", report.ipv4],
    ["IPv6", report.ipv6],
  ] as const) {
    const ips = contents.givable.filter((ip) => familyOf(ip) === family);
    const isHeld = (ip: string) => holdersOf(moment, ip, "").length > 0;
    const isFree = (ip: string) => !isHeld(ip) && othersWith(moment, ip, "").length === 0;
    const available = isReady(moment, pool) ? ips.filter(isFree).length : 0;
    const want = `${ips.length} ${ips.filter(isHeld).length} ${available}`;
    const got = `${usage.total} ${usage.assigned} ${usage.available}`;
    if (contents.invalid) must(usage.available === 0, () => `invalid pool ${name} has ${got}`);
    else must(got === want, () => `pool ${name} counts ${family} as ${got}, not ${want} (total, assigned, available)`);
  }
}

/** An outcome fits what is asked for and what is held. */
function checkOutcome(moment: Moment, key: string, demand: Demand): void {
  const outcome = moment.outcomes.get(key);
  must(outcome !== undefined, () => `${key} has no outcome`);
  if (outcome === undefined) return;
  if (!isKnown(moment, demand)) return;
  must(outcome.state !== "Undecided", () => `${key} is undecided, though all is known`);
  const held = moment.held.get(key);
  if (outcome.state === "Leaving" || outcome.state === "Undecided") {
    must(demand.deleting, () => `${key} is not leaving`);
    return;
  }
  must(held === undefined || held.ips.length > 0, () => `${key} holds no address of pool ${held?.pool}`);
  const families = held?.ips.map(familyOf) ?? [];
  must(families.join() === [...new Set(families)].sort().join(), () => `${key} holds ${held?.ips}`);
  if (outcome.state === "Waiting") {
    must(!demand.deleting, () => `${key} waits though it is being deleted`);
    const isToMove = demand.reassign && !outcome.reassigned;
    must(!isMet(demand, held) || isToMove, () => `${key} waits though it has all: ${moment.texts.get(key)}`);
    checkVerdict(moment, key, demand, outcome.verdict);
  } else if (!demand.deleting) must(isMet(demand, held), () => `${key} is said to have all: ${moment.texts.get(key)}`);
  must(!outcome.reassigned || demand.reassign, () => `${key} was reassigned, but did not ask`);
}

/** A held address stays, but for the reasons of the contract. */
function checkKept(happening: Happening, key: string, demand: Demand): void {
  const { after } = happening;
  const had = heldBefore(happening, key);
  if (had === undefined) return;
  const has = after.held.get(key);
  const lost = had.ips.filter((ip) => !has?.ips.includes(ip));
  for (const ip of lost) {
    const why = mayLose(happening, key, demand, had, ip);
    must(why, () => `${key} lost ${ip}: had ${had.pool} ${had.ips}, has ${has?.pool} ${has?.ips}`);
  }
  if (has === undefined || lost.length === had.ips.length) return;
  const outcome = after.outcomes.get(key);
  const moved =
    lost.length > 0 || (outcome?.state !== "Undecided" && outcome && "reassigned" in outcome && outcome.reassigned);
  const joins = has.ips.some((ip) => !had.ips.includes(ip) && holdersOf(after, ip, key).length > 0);
  if (!moved && !joins) must(has.at === had.at, () => `${key} has ${has.ips} since ${has.at}, which was ${had.at}`);
  const isAdopted = demand.record === undefined && (happening.isStart || happening.isNew);
  if (moved || isAdopted || has.pool === had.pool || isMet(demand, has) !== isMet(demand, had)) return;
  // The record follows the address to a pool that could give it.
  const from = after.pools.get(had.pool);
  const to = after.pools.get(has.pool);
  const left =
    from === undefined || from.deleting || had.ips.some((ip) => strandedBy(after, from, ip, demand).length > 0);
  must(left, () => `${key} left pool ${had.pool} for ${has.pool}, though it could give ${had.ips}`);
  must(
    to !== undefined && has.ips.every((ip) => strandedBy(after, to, ip, demand).length === 0),
    () => `${key} follows ${has.ips} to pool ${has.pool}, which could not give it`,
  );
}

/** The reasons of the contract for which a Service may lose an address. */
function mayLose(happening: Happening, key: string, demand: Demand, had: Held, ip: string): boolean {
  const { before, after, isStart } = happening;
  const has = after.held.get(key);
  if (!wanted(demand).includes(familyOf(ip)) && hasSome(demand, has)) return true;
  const gotWhatItAsksFor = demand.request !== undefined && !isMet(demand, had) && isMet(demand, has);
  if (gotWhatItAsksFor) return true;
  const outcome = after.outcomes.get(key);
  if (demand.reassign && (outcome?.state === "Assigned" || outcome?.state === "Waiting") && outcome.reassigned)
    return true;
  for (const [other, ips] of before.reserved) if (other !== key && ips.includes(ip)) return true;
  for (const [other, theirs] of before.held) {
    if (other === key || !theirs.ips.includes(ip)) continue;
    const rival = after.demands.get(other);
    if (rival === undefined || clash(rival, demand) === undefined) continue;
    // Adopted together at a start, without records: the older one has it.
    const isEarlier = isStart ? isOlder(rival, demand) || isBeforeByName(other, key) : isBeforeByName(other, key);
    const first = theirs.at < had.at || (theirs.at === had.at && isEarlier);
    if (first && (isStart || after.held.get(other)?.ips.includes(ip))) return true;
  }
  return false;
}

/** What was held; of a Service that the book did not know, what its status proves, where nobody has it. */
function heldBefore({ before, after, subject, isNew }: Happening, key: string): Held | undefined {
  if (key !== subject || !isNew) return before.held.get(key);
  const proven = provenBy(after.demands.get(key) as Demand, before.pools.values(), after.now);
  if (proven === undefined) return undefined;
  const taken = before.reserved.size > 0 || proven.ips.some((ip) => holdersOf(before, ip, key).length > 0);
  return taken ? undefined : proven;
}

/** What is new was to be given: by a pool that gives it, and to nobody else. */
function checkGiven(happening: Happening, key: string, demand: Demand): void {
  const { before, after } = happening;
  const has = after.held.get(key);
  if (has === undefined) return;
  // What somebody undecided holds is not told.
  if (before.reserved.has(key)) return;
  const had = before.held.get(key);
  const status = demand.status.map(textOf);
  const noted = demand.record?.ips.map(textOf) ?? [];
  const fresh = has.ips.filter((ip) => !had?.ips.includes(ip));
  const pool = after.pools.get(has.pool);
  /** Adopted: the status proves it. */
  const isProven = (ip: string) =>
    status.includes(ip) &&
    (noted.includes(ip) || [...after.pools.values()].some(({ contents }) => contents.all.includes(ip)));
  const kept = (ip: string) => (had === undefined ? isProven(ip) : had.ips.includes(ip));
  for (const ip of fresh) {
    if (had === undefined && isProven(ip)) continue;
    must(!demand.deleting, () => `${key} is being deleted and got ${ip}`);
    const others = [...after.strangers].filter(([, ips]) => ips.includes(ip)).map(([other]) => other);
    must(others.length === 0, () => `${key} got ${ip}, which ${others} has`);
    const asked = askedFor(demand) !== undefined || has.ips.some((one) => kept(one) || noted.includes(one));
    must(
      pool !== undefined && gives(after, pool, ip, demand, asked),
      () =>
        `${key} got ${ip}, which pool ${has.pool} (${after.book.report(has.pool)?.state.state}) does not give to it`,
    );
  }
}

/** Nobody waits while what he asks for is to be had. */
function checkServed(moment: Moment, key: string, demand: Demand): void {
  const outcome = moment.outcomes.get(key);
  if (outcome === undefined || demand.deleting || outcome.state === "Undecided" || outcome.state === "Leaving") return;
  const held = moment.held.get(key);
  const isAskedFor = hasSome(demand, held) && isRequestMet(demand, held);
  if (!isAskedFor) {
    const [first] = choices(moment, demand);
    must(
      first === undefined,
      () => `${key} waits (${reasonOf(moment, key)}) while pool ${first?.pool} has ${first?.ips} for it`,
    );
  }
  const isToMove = demand.reassign && !outcome.reassigned;
  if (hasSome(demand, held) && !isToMove && isAskedFor) {
    const [first] = completions(moment, demand, held);
    must(first === undefined, () => `${key} has ${held.ips} and lacks ${first}, which pool ${held.pool} has`);
  }
  if (isToMove) {
    const [first] = choices(moment, demand);
    must(first === undefined, () => `${key} is to be reassigned, and could have ${first?.ips} of pool ${first?.pool}`);
  }
}

function reasonOf(moment: Moment, key: string): string {
  const outcome = moment.outcomes.get(key);
  return outcome?.state === "Waiting" ? outcome.verdict.reason : String(outcome?.state);
}

/** Who was served took nothing that somebody before him could have had. */
function checkTurns({ before, after, isStart, subject, isNew }: Happening): void {
  for (const [key, has] of after.held) {
    const had = before.held.get(key);
    const fresh = has.ips.filter((ip) => !had?.ips.includes(ip));
    if (fresh.length === 0) continue;
    const demand = after.demands.get(key) as Demand;
    const claimed = [...demand.status, ...(demand.record?.ips ?? [])].map(textOf);
    if (fresh.some((ip) => claimed.includes(ip))) continue;
    const kept = had?.ips.filter((ip) => has.ips.includes(ip)) ?? [];
    // Who has lost all in a clash is served by its age, as one who has nothing.
    const isMoved = !isStart && (demand.request !== undefined || demand.reassign);
    const holdsStill = had !== undefined && (kept.length > 0 || isMoved);
    for (const [other, theirs] of after.demands) {
      if (other === key || after.held.has(other) || (before.held.has(other) && !isStart)) continue;
      if (other === subject && isNew) continue;
      if (!holdsStill && !isOlder(theirs, demand)) continue;
      const without: Moment = { ...after, held: new Map([...after.held].filter(([one]) => one !== key)) };
      if (had !== undefined && kept.length > 0) (without.held as Map<string, Held>).set(key, { ...had, ips: kept });
      const [first] = choices(without, theirs);
      // What somebody served later let go of came too late.
      const late = first?.ips.filter((ip) => !fresh.includes(ip)) ?? [];
      const isLate = late.some((ip) => wasAnothers(before, ip, other) || wasAnothers(after, ip, other));
      must(
        first === undefined || isLate,
        () => `${key} got ${fresh} of pool ${has.pool}, and ${other}, whose turn it was, waits for ${first?.ips}`,
      );
    }
  }
}

function wasAnothers(moment: Moment, ip: string, key: string): boolean {
  const isIn = (demand: Demand) => demand.status.some((one) => textOf(one) === ip);
  const before = [...moment.held].some(([other, { ips }]) => other !== key && ips.includes(ip));
  return before || [...moment.demands].some(([other, demand]) => other !== key && isIn(demand));
}

/** A Service that comes, or is to be reassigned, gets the first of what is to be had. */
function checkFirstChoice({ before, after, subject, isNew, isStart }: Happening): void {
  if (isStart || subject === undefined || before.reserved.size > 0) return;
  const demand = after.demands.get(subject);
  const outcome = after.outcomes.get(subject);
  if (demand === undefined || outcome === undefined) return;
  const plainNew = isNew && demand.status.length === 0 && demand.record === undefined;
  const moved = !isNew && (outcome.state === "Assigned" || outcome.state === "Waiting") && outcome.reassigned;
  if (!plainNew && !moved) return;
  // Strangers' addresses were free to their former owner.
  const world: Moment = {
    ...before,
    demands: after.demands,
    strangers: new Map([...before.strangers].filter(([key]) => key !== subject)),
  };
  const best = firstChoices(world, demand);
  const has = after.held.get(subject);
  if (best.length === 0) must(has === undefined || !plainNew, () => `${subject} got ${has?.ips} out of nothing`);
  else {
    const ok = best.some(({ pool, ips }) => pool === has?.pool && ips.join() === has.ips.join());
    // With one of two addresses joined, several combinations are as good.
    const open = demand.sharing !== undefined && wanted(demand).length > 1;
    must(
      ok || (open && has !== undefined),
      () => `${subject} got ${has?.pool} ${has?.ips}, not ${JSON.stringify(best)}`,
    );
  }
}

/** Stranded is exactly who has an address that its pool could no longer give to it, nor any other pool. */
function checkStranding(moment: Moment, key: string, demand: Demand): void {
  const outcome = moment.outcomes.get(key);
  const held = moment.held.get(key);
  if (outcome === undefined || outcome.state === "Undecided" || outcome.state === "Leaving") return;
  const { stranded } = outcome;
  if (held === undefined) {
    must(stranded === undefined, () => `${key} holds nothing and is stranded`);
    return;
  }
  const pool = moment.pools.get(held.pool);
  const bad = held.ips.filter((ip) => strandedBy(moment, pool, ip, demand).length > 0);
  if (bad.length === 0) {
    must(
      stranded === undefined,
      () =>
        `${key} is stranded with ${held.ips} of ${held.pool}, which could give it: ${JSON.stringify(stranded?.why)}`,
    );
    return;
  }
  const named = askedFor(demand)?.pool;
  const others = inOrder(moment).filter(({ name }) => named === undefined || name === named);
  const better = others.find((one) => held.ips.every((ip) => gives(moment, one, ip, demand, true)));
  must(
    better === undefined,
    () => `${key} with ${held.ips} is left to pool ${held.pool}, though ${better?.name} could give it`,
  );
  must(stranded !== undefined, () => `${key} is not called stranded with ${bad} of pool ${held.pool}`);
  if (stranded === undefined) return;
  must(stranded.pool === held.pool, () => `${key} is stranded in ${stranded.pool}, not ${held.pool}`);
  must(
    stranded.ips.map(textOf).join() === bad.join(),
    () => `${key} is stranded with ${stranded.ips.map(textOf)}, not ${bad}`,
  );
  const whys = bad.flatMap((ip) => strandedBy(moment, pool, ip, demand));
  must(whys.includes(stranded.why), () => `${key} is stranded for ${stranded.why}, not ${whys}`);
}

function checkCensus({ book, outcomes }: Moment): void {
  const counts = new Map<string, number>();
  for (const outcome of outcomes.values()) {
    const name = outcome.state === "Waiting" ? outcome.verdict.reason : outcome.state;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const text = (census: ReadonlyMap<string, number>) =>
    [...census]
      .filter(([name, count]) => count > 0 && name !== "Leaving" && name !== "Undecided")
      .sort()
      .join(" ");
  const [got, want] = [text(book.census()), text(counts)];
  must(got === want, () => `the census is ${got}, not ${want}`);
}

function checkVerdict(moment: Moment, key: string, demand: Demand, verdict: Verdict): void {
  const wrong = faultOf(moment, key, demand, verdict);
  must(wrong === undefined, () => `${key} waits for ${moment.texts.get(key)}: ${wrong}`);
}

/** Says what is not true of a verdict. */
function faultOf(moment: Moment, key: string, demand: Demand, verdict: Verdict): string | undefined {
  const request = askedFor(demand);
  const inSomePool = (ip: string) => inOrder(moment).filter(({ contents }) => contents.all.includes(ip));
  if ("ip" in verdict && verdict.reason !== "IPInUse" && verdict.reason !== "SharingRefused") {
    if (!request?.ips.includes(textOf(verdict.ip))) return "nobody asked for that address";
  }
  const problem = demand.request !== undefined && "problem" in demand.request ? demand.request.problem : undefined;
  if (problem !== undefined && verdict.reason !== problem.reason) return `it should be ${problem.reason}`;
  switch (verdict.reason) {
    case "NoPool":
      return moment.pools.size === 0 && verdict.tried.length === 0 ? undefined : "there are pools";
    case "NoFittingPool":
    case "PoolExhausted":
      return faultOfTried(moment, demand, verdict);
    case "InvalidRequest":
    case "ConflictingRequests":
      return problem?.text === verdict.text ? undefined : "the request can be read";
    case "WrongFamily":
      return wanted(demand).includes(verdict.ip.family) ? "it wants that family" : undefined;
    case "IPOutsidePools":
      return inSomePool(textOf(verdict.ip)).length === 0 ? undefined : "a pool has it";
    case "IPNotInPool": {
      if (verdict.pool !== request?.pool || !moment.pools.has(verdict.pool)) return "that pool is not asked for";
      const having = inOrder(moment).filter(({ contents }) => contents.givable.includes(textOf(verdict.ip)));
      const names = having.map(({ name }) => name);
      if (names.includes(verdict.pool)) return "it has it";
      if (verdict.actual === undefined) return names.length > 0 ? `${names} has it` : undefined;
      return names.includes(verdict.actual) ? undefined : "that has it not";
    }
    case "IPsInDifferentPools": {
      const inBoth = inOrder(moment).find((pool) => request?.ips.every((ip) => gives(moment, pool, ip, demand, true)));
      if (inBoth) return `${inBoth.name} has both`;
      const held = moment.held.get(key);
      const isOf = (ip: string, pool: string | undefined) =>
        (held?.pool === pool && held?.ips.includes(ip)) || inSomePool(ip).some(({ name }) => name === pool);
      return verdict.ips.every((ip, at) => isOf(textOf(ip), verdict.pools[at])) ? undefined : "not in these";
    }
    case "IPExcluded":
      return moment.pools.get(verdict.pool)?.contents.excluded.has(textOf(verdict.ip))
        ? undefined
        : "it is not excluded";
    case "IPAvoided":
      return moment.pools.get(verdict.pool)?.contents.avoided.has(textOf(verdict.ip)) ? undefined : "it is not avoided";
    case "UnknownPool":
      if (moment.pools.has(verdict.pool)) return "that pool is known";
      return [request?.pool, moment.held.get(key)?.pool].includes(verdict.pool) ? undefined : "nobody asked for it";
    case "PoolNotUsable":
      return verdict.refusal.why === "NotAutoAssigned"
        ? "it was asked for"
        : faultOfRefusal(moment, demand, verdict.refusal);
    case "IPInUse":
    case "SharingRefused": {
      const ip = textOf(verdict.ip);
      if (!request?.ips.includes(ip)) return "nobody asked for that address";
      if (verdict.reason === "IPInUse" && verdict.stranger)
        return othersWith(moment, ip, key).includes(verdict.holder) ? undefined : "no stranger has it";
      const holder = verdict.reason === "IPInUse" ? verdict.holder : verdict.clash.holder;
      if (moment.reserved.has(holder)) return undefined; // what it holds is not told
      if (!holdersOf(moment, ip, key).includes(holder)) return `${holder} does not have it`;
      const theirs = moment.demands.get(holder) as Demand;
      const why = clashes(theirs, demand);
      if (verdict.reason === "IPInUse") return why.length > 0 ? undefined : "they could share it";
      if (!why.includes(verdict.clash.what)) return `they clash in ${why}`;
      if (verdict.clash.what !== "Port") return undefined;
      const ports = [demand, theirs].map(({ sharing }) => sharing?.ports ?? []);
      return ports.every((list) => list.includes(verdict.clash.port ?? ""))
        ? undefined
        : "they don't both have that port";
    }
  }
}

function faultOfTried(
  moment: Moment,
  demand: Demand,
  { reason, tried, unshared }: Extract<Verdict, { tried: readonly Refusal[] }>,
): string | undefined {
  const held = moment.held.get(demand.key);
  const request = askedFor(demand);
  const order = inOrder(moment).map(({ name }) => name);
  const names = tried.map(({ pool }) => pool);
  const all = order.filter((name) => names.includes(name));
  if (all.join() !== names.join()) return `tried ${names} in the order ${order}`;
  if (request === undefined && held === undefined && all.length !== order.length) return `tried not all of ${order}`;
  for (const refusal of tried) {
    const wrong = faultOfRefusal(moment, demand, refusal);
    if (wrong !== undefined) return `${refusal.pool} ${refusal.why}: ${wrong}`;
  }
  const full = tried.some((one) => one.why === "Lacks" && one.without.length === 0 && one.exhausted.length > 0);
  if (full !== (reason === "PoolExhausted")) return `some pool is ${full ? "" : "not "}full`;
  return moment.reserved.size > 0 ? undefined : faultOfUnshared(moment, demand, { tried, unshared });
}

/** Who is kept from an address of its sharing key, in a pool that is full, hears with whom it clashes there, and in what. */
function faultOfUnshared(
  moment: Moment,
  demand: Demand,
  { tried, unshared }: Pick<Extract<Verdict, { tried: unknown }>, "tried" | "unshared">,
): string | undefined {
  const own = moment.held.get(demand.key)?.ips ?? [];
  const clashing = tried.flatMap((one) => {
    if (one.why !== "Lacks" || one.without.length > 0) return [];
    const ips = moment.pools.get(one.pool)?.contents.givable ?? [];
    return ips.filter(
      (ip) => one.exhausted.includes(familyOf(ip)) && !own.includes(ip) && isRefused(moment, demand, ip),
    );
  });
  const [lowest] = [...new Set(clashing)].sort(byFamilyAndValue);
  if (lowest === undefined || unshared === undefined)
    return lowest === unshared
      ? undefined
      : `it can't share ${lowest}, and hears of ${unshared && textOf(unshared.ip)}`;
  const { ip, clash } = unshared;
  if (textOf(ip) !== lowest) return `it hears of ${textOf(ip)}, and ${lowest} is lower`;
  if (!holdersOf(moment, lowest, demand.key).includes(clash.holder)) return `${clash.holder} does not have ${lowest}`;
  const whats = clashes(moment.demands.get(clash.holder) as Demand, demand);
  return whats.includes(clash.what) ? undefined : `they clash in ${whats}`;
}

/** Tells whether others hold an address under a Service's own key, and some of them can't share it with the Service. */
function isRefused(moment: Moment, demand: Demand, ip: string): boolean {
  if (demand.sharing === undefined || othersWith(moment, ip, demand.key).length > 0) return false;
  const theirs = holdersOf(moment, ip, demand.key).map((other) => moment.demands.get(other) as Demand);
  return theirs.some((other) => other.sharing?.key === demand.sharing?.key && clash(other, demand) !== undefined);
}

function faultOfRefusal(moment: Moment, demand: Demand, refusal: Refusal): string | undefined {
  const pool = moment.pools.get(refusal.pool);
  if (pool === undefined) return "there is no such pool";
  const state = moment.book.report(refusal.pool)?.state.state;
  switch (refusal.why) {
    case "Invalid":
    case "Overlapping":
    case "Disabled":
    case "Terminating":
      return state === refusal.why ? undefined : `it is ${state}`;
    case "NotAutoAssigned":
      return pool.spec.autoAssign ? "it is auto-assigned" : undefined;
    case "NamespaceSelector":
    case "ServiceSelector":
      return selectorsAgainst(moment, pool, demand).includes(refusal.why) ? undefined : "it selects it";
    case "Lacks":
      return faultOfLack(moment, demand, pool, refusal);
  }
}

function faultOfLack(
  moment: Moment,
  demand: Demand,
  pool: ModelPool,
  { without, exhausted }: Extract<Refusal, { why: "Lacks" }>,
): string | undefined {
  if (!isReady(moment, pool)) return "it is not ready";
  const has = (family: IPFamily) => pool.contents.givable.some((ip) => familyOf(ip) === family);
  const isFree = (ip: string) =>
    holdersOf(moment, ip, demand.key).length === 0 &&
    ![...moment.strangers, ...moment.reserved].some(([other, ips]) => other !== demand.key && ips.includes(ip));
  for (const family of without) if (has(family)) return `it has ${family}`;
  for (const family of exhausted) {
    if (!has(family)) return `it has no ${family} at all`;
    const own = moment.held.get(demand.key)?.ips ?? [];
    const free = pool.contents.givable.find((ip) => familyOf(ip) === family && isFree(ip) && !own.includes(ip));
    if (free !== undefined) return `${free} is free`;
  }
  if (without.length + exhausted.length === 0) return "it lacks nothing";
  const some = options(demand)[0] ?? [];
  return [...without, ...exhausted].every((family) => some.includes(family)) ? undefined : "it was not to have that";
}

function byFamilyAndValue(a: string, b: string): number {
  const [left, right] = [ipOf(a).value, ipOf(b).value];
  return familyOf(a).localeCompare(familyOf(b)) || (left < right ? -1 : left > right ? 1 : 0);
}
