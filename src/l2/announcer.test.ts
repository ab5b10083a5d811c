import { expect, test } from "vitest";
import { Announcer } from "./announcer.ts";
import { mappingIn } from "./resolution.ts";

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);

/** Runs until `untilMs`; gives each frame's time and IP. */
function run(it: Announcer, untilMs: number): { readonly atMs: number; readonly ip: string }[] {
  const sent: { atMs: number; ip: string }[] = [];
  for (let at = it.nextMs(); at <= untilMs; at = it.nextMs())
    for (const frame of it.frames(at)) sent.push({ atMs: at, ip: mappingIn(frame)?.ip ?? "" });
  return sent;
}
const ip = (i: number) => `10.1.${i >> 8}.${i & 255}`;

test("each IP is announced again once a minute, not all at once", () => {
  let seed = 0;
  const it = new Announcer(MAC, { framesPerSecond: 10_000, refreshMs: 60_000 }, () => (seed++ % 10) / 10);
  for (let i = 0; i < 100; i++) it.keep(ip(i), 0);
  const sent = run(it, 600_000);
  for (let i = 0; i < 100; i++) {
    const times = sent.filter((one) => one.ip === ip(i)).map(({ atMs }) => atMs);
    expect(times.length / 2).toBeGreaterThanOrEqual(8);
    expect(times.length / 2).toBeLessThanOrEqual(13);
  }
  const perSecond = new Map<number, number>();
  for (const { atMs } of sent)
    perSecond.set(Math.floor(atMs / 1000), (perSecond.get(Math.floor(atMs / 1000)) ?? 0) + 1);
  expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(20);
});

test("of 10 000 IPs the refresh takes a five-hundredth of the pace at most, wakes once a second, and reaches all", () => {
  const it = new Announcer(MAC, { framesPerSecond: 10_000, refreshMs: 60_000 }, () => 0.5);
  for (let i = 0; i < 10_000; i++) it.keep(ip(i), 0);
  const sent = run(it, 1_100_000);
  expect(sent.length / 1100).toBeLessThanOrEqual(20);
  expect(new Set(sent.map((one) => one.ip)).size).toBe(10_000);
  expect(new Set(sent.map(({ atMs }) => atMs)).size).toBeLessThanOrEqual(1100);
});

test("600 IPs are refreshed each minute", () => {
  const it = new Announcer(MAC, { framesPerSecond: 10_000, refreshMs: 60_000 }, () => 0.5);
  for (let i = 0; i < 600; i++) it.keep(ip(i), 0);
  const turns = (run(it, 660_000).length / 2 / 600) | 0;
  expect(turns).toBeGreaterThanOrEqual(9);
});

test("without refresh nothing is sent after the series", () => {
  const it = new Announcer(MAC, { framesPerSecond: 10_000, refreshMs: 0 }, () => 0);
  it.start(ip(1), 0);
  expect(run(it, 1_000_000)).toHaveLength(8);
  expect(it.nextMs()).toBe(Number.POSITIVE_INFINITY);
});

test("what is given up is announced no more", () => {
  const it = new Announcer(MAC, { framesPerSecond: 10_000, refreshMs: 60_000 }, () => 0);
  it.start(ip(1), 0);
  run(it, 50);
  it.stop(ip(1));
  expect(run(it, 200_000)).toEqual([]);
});

test.each([1000, 10_000, 50_000])(
  "no more than %d frames a second, and every IP's first round before any second",
  (rate) => {
    const it = new Announcer(MAC, { framesPerSecond: rate, refreshMs: 0 }, () => 0);
    for (let i = 0; i < 2000; i++) it.start(ip(i), 0);
    const sent = run(it, 100_000);
    expect(sent).toHaveLength(2000 * 8);
    for (let from = 0; from < 3000; from += 500) {
      const inSecond = sent.filter(({ atMs }) => atMs >= from && atMs < from + 1000).length;
      expect(inSecond).toBeLessThanOrEqual(rate + 128);
    }
    expect(new Set(sent.slice(0, 4000).map((one) => one.ip)).size).toBe(2000);
  },
);
