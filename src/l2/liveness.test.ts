import { describe, expect, test } from "vitest";
import type { NeighbourState } from "./effects.ts";
import type { Hello } from "./hello.ts";
import { judge, probeAtMs, probeEveryMs } from "./liveness.ts";
import { Neighbour } from "./neighbour.ts";
import { timing } from "./timing.ts";

const TIMING = timing({ helloIntervalMs: 100 });
const hello = (more: Partial<Hello> = {}, flags: Partial<Hello["flags"]> = {}): Hello => ({
  flags: { starting: false, leaving: false, restarting: false, notForwarding: false, isolated: false, ...flags },
  helloIntervalMs: 100,
  multiplier: 3,
  restartGraceMs: 60_000,
  claimsVersion: 0n,
  mac: Uint8Array.of(2, 0, 0, 0, 0, 2),
  ipv4: Uint8Array.of(192, 0, 2, 2),
  ipv6: new Uint8Array(16),
  heard: [1],
  hears: 1,
  versions: new Map(),
  ...more,
});

interface Story {
  /** When its only hello came; absent: none did. */
  readonly hello?: number;
  readonly more?: Partial<Hello>;
  readonly flags?: Partial<Hello["flags"]>;
  /** Since when it is in this state. */
  readonly was?: readonly [NeighbourState, number];
  readonly probed?: readonly number[];
  readonly answered?: readonly number[];
  readonly witness?: boolean;
  readonly ready?: boolean;
}

function neighbour({ hello: at, more, flags, was, probed = [], answered = [], witness = false }: Story): Neighbour {
  const it = new Neighbour("n2", 1n, hello(more, flags), TIMING, 0);
  if (at !== undefined) it.takeHello(hello(more, flags), 1n, at);
  if (was !== undefined) it.enter(was[0], was[1]);
  const events = [...probed.map((ms) => [ms, "probed"] as const), ...answered.map((ms) => [ms, "answered"] as const)];
  for (const [ms, what] of events.sort(([a], [b]) => a - b)) it.kernel[what](ms);
  if (witness) it.heardBy.add("n3");
  return it;
}

const PROBES = [131, 181, 231, 281];

describe("a neighbour is", () => {
  test.each<{ name: string; want: NeighbourState; at: number } & Story>([
    { name: "heard until the detection time is over", hello: 0, probed: PROBES, at: 329, want: "Heard" },
    { name: "dead with it, its kernel silent", hello: 0, probed: PROBES, at: 331, want: "Dead" },
    { name: "not dead before four probes have had their time", hello: 0, probed: PROBES, at: 330, want: "Heard" },
    { name: "silent by its own timers", hello: 0, more: { multiplier: 5 }, probed: PROBES, at: 500, want: "Heard" },
    {
      name: "dead at once where it cannot be asked",
      hello: 0,
      more: { ipv4: new Uint8Array(4) },
      at: 330,
      want: "Dead",
    },
    { name: "away, its kernel answering", hello: 0, probed: PROBES, answered: [282], at: 330, want: "Away" },
    {
      name: "not away by an answer before its last hello",
      hello: 0,
      answered: [0],
      probed: PROBES,
      at: 331,
      want: "Dead",
    },
    { name: "alive, as another hears it", hello: 0, probed: PROBES, witness: true, at: 331, want: "Indirect" },
    {
      name: "alive, as another hears it, though it was dead",
      hello: 0,
      was: ["Dead", 400],
      witness: true,
      at: 500,
      want: "Indirect",
    },
    {
      name: "dead when nobody hears it any more",
      hello: 0,
      was: ["Indirect", 400],
      probed: [800, 850, 900, 950],
      at: 1000,
      want: "Dead",
    },
    {
      name: "dead when its kernel falls silent",
      hello: 0,
      was: ["Away", 400],
      answered: [500],
      probed: [600, 650, 700, 750],
      at: 800,
      want: "Dead",
    },
    {
      name: "away still where it was asked too little: this process slept",
      hello: 0,
      was: ["Away", 400],
      answered: [500],
      probed: [600, 790],
      at: 800,
      want: "Away",
    },
    { name: "away up to the grace", hello: 0, was: ["Away", 400], answered: [60_390], at: 60_400, want: "Away" },
    { name: "gone after it", hello: 0, was: ["Away", 400], answered: [60_390], at: 60_401, want: "Gone" },
    {
      name: "gone after a grace of its own",
      hello: 0,
      more: { restartGraceMs: 5000 },
      was: ["Away", 400],
      answered: [5401],
      at: 5401,
      want: "Gone",
    },
    {
      name: "away for ever where the API shows it ready",
      hello: 0,
      was: ["Away", 400],
      answered: [90_000],
      ready: true,
      at: 90_001,
      want: "Away",
    },
    {
      name: "dead though its kernel is back: it rebooted",
      hello: 0,
      was: ["Dead", 400],
      answered: [9000],
      at: 20_000,
      want: "Dead",
    },
    {
      name: "away when that is so for long, and it is ready",
      hello: 0,
      was: ["Dead", 400],
      answered: [3000],
      ready: true,
      at: 6001,
      want: "Away",
    },
    {
      name: "dead for 5 s at least",
      hello: 0,
      was: ["Dead", 400],
      answered: [500],
      ready: true,
      at: 5400,
      want: "Dead",
    },
    { name: "unknown by its record alone", at: 5000, probed: [1, 51, 101, 151], want: "Unknown" },
    { name: "away by its record, its kernel answering", probed: [1], answered: [2], at: 3, want: "Away" },
    {
      name: "deaf: isolated, hears nobody, kernel silent",
      hello: 300,
      more: { heard: [], hears: 0 },
      flags: { isolated: true },
      probed: [90, 140, 190, 240],
      at: 301,
      want: "Deaf",
    },
    {
      name: "not deaf where it hears somebody",
      hello: 300,
      flags: { isolated: true },
      probed: [90, 140, 190, 240],
      at: 301,
      want: "Heard",
    },
    {
      name: "not deaf where its kernel hears",
      hello: 300,
      more: { heard: [], hears: 0 },
      flags: { isolated: true },
      probed: [90, 140, 190],
      answered: [191],
      at: 301,
      want: "Heard",
    },
  ])("$name", ({ at, want, ready = false, ...story }) => {
    expect(judge(neighbour(story), ready, TIMING, at)).toBe(want);
  });
});

describe("its kernel is asked", () => {
  test.each<{ name: string; at: number; want: number | undefined } & Story>([
    { name: "not while hellos come", hello: 0, at: 129, want: undefined },
    { name: "each 50 ms after a missed one", hello: 0, at: 130, want: 50 },
    { name: "each 50 ms while it says that it hears nothing", hello: 0, flags: { isolated: true }, at: 10, want: 50 },
    { name: "each 100 ms while it is away", hello: 0, was: ["Away", 400], at: 500, want: 100 },
    { name: "each 100 ms while others hear it", hello: 0, was: ["Indirect", 400], at: 500, want: 100 },
    { name: "no more when it is dead", hello: 0, was: ["Dead", 400], at: 500, want: undefined },
    {
      name: "each second when it is dead and shown ready",
      hello: 0,
      was: ["Dead", 400],
      ready: true,
      at: 500,
      want: 1000,
    },
    { name: "each 50 ms at first, where there is only a record", at: 500, want: 50 },
    { name: "each second later", at: 1000, want: 1000 },
    { name: "never where it has no address", hello: 0, more: { ipv4: new Uint8Array(4) }, at: 200, want: undefined },
  ])("$name", ({ at, want, ready = false, ...story }) => {
    expect(probeEveryMs(neighbour(story), ready, at)).toBe(want);
  });

  test("sooner after a probe that was not answered yet", () => {
    const it = neighbour({ hello: 0, was: ["Away", 400] });
    it.kernel.probed(500);
    it.kernel.nextProbeMs = 600;
    expect(probeAtMs(it, 100, 510)).toBe(550);
    it.kernel.answered(511);
    expect(probeAtMs(it, 100, 512)).toBe(600);
  });
});

describe("who answers for it", () => {
  test.each([
    { name: "nobody, while it is heard", story: { hello: 0 }, at: 100, want: "None" },
    { name: "nobody, before its kernel has answered", story: { hello: 0, probed: [131] }, at: 132, want: "None" },
    { name: "all, once it has", story: { hello: 0, probed: [131], answered: [132] }, at: 133, want: "All" },
    { name: "all, at once, when it restarts", story: { hello: 0, flags: { restarting: true } }, at: 1, want: "All" },
    { name: "the first, when it starts", story: { hello: 0, flags: { starting: true } }, at: 1, want: "First" },
    { name: "the first, when it is away", story: { hello: 0, was: ["Away", 400] as const }, at: 500, want: "First" },
    { name: "nobody, when it is dead", story: { hello: 0, was: ["Dead", 400] as const }, at: 500, want: "None" },
  ])("$name", ({ story, at, want }) => expect(neighbour(story).deputisingNow(at)).toBe(want));

  test.each(["All", "First"] as const)("all that were (%s) go on by others' word for a detection time", (before) => {
    const it = neighbour({ hello: 0, was: ["Indirect", 330] });
    it.deputising = before;
    expect(it.deputisingNow(659)).toBe("All");
    expect(it.deputisingNow(660)).toBe("None");
  });

  test("nobody begins to by others' word", () => {
    expect(neighbour({ hello: 0, was: ["Indirect", 330] }).deputisingNow(331)).toBe("None");
  });
});

test("of more neighbours than fit in a hello, the last parts count until they are told again", () => {
  const it = neighbour({ hello: 0 });
  for (const [i, heard] of [
    [1, 2],
    [3, 4],
    [5, 6],
  ].entries())
    it.takeHello(hello({ heard, hears: 6 }), 1n, 100 * (i + 1));
  expect([1, 3, 5].map((hash) => it.hears(hash))).toEqual([true, true, true]);
  it.takeHello(hello({ heard: [2, 4], hears: 5 }), 1n, 400);
  expect(it.hears(1), "three hellos name five").toBe(false);
  it.takeHello(hello({ heard: [4], hears: 1 }), 1n, 500);
  expect([2, 4, 5].map((hash) => it.hears(hash))).toEqual([false, true, false]);
});
