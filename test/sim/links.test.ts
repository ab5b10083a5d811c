import { describe, expect, test } from "vitest";
import { disagreements, notAnsweredOnce } from "./agreement.ts";
import { cutOneWay, deafen, filterHellos, filterHellosFrom, filterHellosOf, mute } from "./link-faults.ts";
import { moves } from "./moves.ts";
import { SEEDS } from "./seeds.ts";
import type { SimNode } from "./sim-node.ts";
import { type Host, World } from "./world.ts";

/** Faults of the network: cables, partitions, filters, deafness, loss. Bounds: docs/wire.md, "Measured in simulation". */

const IP = "192.0.2.10";
/** Detection time, one round trip, and the resolution of the observer, in ms. */
const TAKEOVER_MS = 360;
/** Two hellos, a request and its answer. */
const HEAL_MS = 150;
/** A record that is written, read, and obeyed. */
const RECORD_MS = 1200;

/** Once nothing is filtered any more, all agree. */
function expectAgreementUnfiltered(world: World): void {
  world.blocks.clear();
  world.run(15_000);
  expect(disagreements(world)).toEqual([]);
}

describe.each(SEEDS)("seed %i", (seed) => {
  const settled = (nodes = 3, more = {}) => World.settled({ seed, nodes, ips: 6, ...more });
  const others = (world: World, ...not: SimNode[]) => world.nodes.filter((node) => !not.includes(node));

  test.each([2, 3, 5])("NIC cut, one of %i: its IPs move, and none moves back", (nodes) => {
    const world = settled(nodes);
    const cut = world.owner(IP);
    const changes = cut.changes.length;
    world.announce(world.hosts[0] as Host); // the last that it hears, later than any hello
    world.cut(cut);
    world.run(30_000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
    expect(cut.changes.slice(changes), "it takes nothing").toEqual([]);
    expect(cut.segment?.view()).toMatchObject({ isolated: true });
    const before = Object.fromEntries([...world.ips.keys()].map((ip) => [ip, world.answered(ip, 0)[0]?.name]));
    world.observer.reset();
    world.heal();
    world.run(15_000);
    expect(world.owners()).toEqual(before);
    expect(world.observer.longest.unanswered).toBe(0);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(HEAL_MS);
    expect(disagreements(world)).toEqual([]);
  });

  test("NIC cut, and the speaker restarts while it is", () => {
    const world = settled();
    const cut = world.owner(IP);
    world.cut(cut);
    world.run(3000);
    const before = Object.fromEntries([...world.ips.keys()].map((ip) => [ip, world.answered(ip, 0)[0]?.name]));
    world.restart(cut);
    world.run(3000);
    world.heal();
    world.run(15_000);
    expect(world.owners()).toEqual(before);
    expect(disagreements(world)).toEqual([]);
  });

  test("a cut node returns after two more takeovers", () => {
    const world = settled(4);
    const cut = world.owner(IP);
    world.cut(cut);
    world.run(2000);
    for (let i = 0; i < 2; i++) {
      const owner = world.answered(IP, 0)[0] as SimNode;
      world.powerOff(owner);
      world.run(2000);
    }
    const before = world.answered(IP, 0)[0];
    world.heal();
    world.run(15_000);
    expect(world.owner(IP)).toBe(before);
    expect(disagreements(world)).toEqual([]);
  });

  test("switch off for 15 s", () => {
    const world = settled();
    const before = world.owners();
    for (const node of world.nodes) world.cut(node);
    world.run(15_000);
    world.heal();
    world.run(15_000);
    expect(world.owners()).toEqual(before);
    expect(disagreements(world)).toEqual([]);
  });

  test.each([1500, 15_000, 30_000])("partition for %d ms", (forMs) => {
    const world = settled();
    world.partition(world.owner(IP).name);
    world.run(forMs);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS + 50);
    const larger = Object.fromEntries([...world.ips.keys()].map((ip) => [ip, world.answered(ip, 0)[0]?.name]));
    world.observer.reset();
    world.heal();
    world.run(15_000);
    expect(world.owners()).toEqual(larger);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(HEAL_MS);
    for (const ip of world.ips.keys())
      for (const client of world.nodes) expect(world.observer.sendsTo(client, ip)).toBe(world.owner(ip));
    expect(disagreements(world)).toEqual([]);
  });

  test("a partition that flaps ten times", () => {
    const world = settled();
    const lone = world.owner(IP);
    for (let i = 0; i < 10; i++) {
      world.partition(lone.name);
      world.run(world.random.between(100, 1500));
      world.heal();
      world.run(world.random.between(100, 1500));
    }
    world.run(15_000);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(HEAL_MS);
    expect(disagreements(world)).toEqual([]);
  });

  test.each([false, true])("partition of one from four, a restart inside; the API away: %s", (apiAway) => {
    const world = settled(5);
    const lone = world.owner(IP);
    world.apiUp = !apiAway;
    world.partition(lone.name);
    world.run(3000);
    const [other] = others(world, lone) as [SimNode];
    world.restart(other);
    world.run(3000);
    world.heal();
    world.run(3000);
    world.apiUp = true;
    world.apiChanged();
    world.run(12_000);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(HEAL_MS);
    expect(disagreements(world)).toEqual([]);
  });

  test("the owner dies as the partition begins", () => {
    const world = settled(5);
    const owner = world.owner(IP);
    const [a, b] = others(world, owner) as [SimNode, SimNode];
    world.partition(a.name, b.name);
    world.powerOff(owner);
    world.run(5000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS + 50);
    world.observer.reset();
    world.heal();
    world.run(15_000);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(HEAL_MS);
    expect(disagreements(world)).toEqual([]);
  });

  test.each([2, 3])("the owner goes deaf, one of %i", (nodes) => {
    const world = settled(nodes);
    const deaf = world.owner(IP);
    deafen(world, deaf);
    world.run(20_000);
    expect(world.answered(IP)).not.toEqual([deaf]);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(800);
    world.observer.reset();
    world.heal();
    world.run(15_000);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(HEAL_MS);
    expect(disagreements(world)).toEqual([]);
  });

  test("another goes deaf: nothing moves but its own", () => {
    const world = settled();
    const owner = world.owner(IP);
    const [deaf] = others(world, owner) as [SimNode];
    deafen(world, deaf);
    world.run(10_000);
    world.heal();
    world.run(15_000);
    expect(world.owner(IP)).toBe(owner);
    expect(disagreements(world)).toEqual([]);
  });

  test("the owner goes mute", () => {
    const world = settled();
    const owner = world.owner(IP);
    mute(world, owner);
    world.run(5000);
    expect(world.owner(IP)).not.toBe(owner);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
    world.heal();
    world.run(15_000);
    expect(disagreements(world)).toEqual([]);
  });

  test("hellos filtered for all: nothing moves, a power-off is noticed, and the nodes say so", () => {
    const world = settled();
    const before = moves(world);
    filterHellos(world);
    world.run(90_000);
    expect(moves(world)).toBe(before);
    expect(world.observer.longest).toMatchObject({ cached: 0, twoMacs: 0 });
    for (const node of world.nodes) expect(node.segment?.view().helloBlocked).toHaveLength(2);
    world.powerOff(world.owner(IP));
    world.run(5000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(RECORD_MS);
    expect(notAnsweredOnce(world)).toEqual([]);
    expectAgreementUnfiltered(world);
  });

  test("hellos filtered for all, and speakers that wait for their turn for almost as long as is no stall: nothing moves", () => {
    const world = settled();
    const before = moves(world);
    filterHellos(world);
    world.run(3000);
    for (let round = 0; round < 40; round++) {
      world.stall(world.random.pick(world.nodes), world.random.between(200, 295));
      world.run(world.random.between(300, 700));
    }
    expect(moves(world)).toBe(before);
    expect(world.observer.longest).toMatchObject({ cached: 0, twoMacs: 0 });
    expectAgreementUnfiltered(world);
  });

  test("hellos filtered for all from the beginning", () => {
    const world = new World({ seed, nodes: 3, ips: 6 });
    filterHellos(world);
    for (const node of world.nodes) world.after(world.random.between(0, 50), () => node.start());
    world.run(5000);
    expect(notAnsweredOnce(world)).toEqual([]);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(RECORD_MS);
    expectAgreementUnfiltered(world);
  });

  test("hellos filtered for all, and all speakers restart", () => {
    const world = settled();
    const before = world.owners();
    filterHellos(world);
    for (const node of world.nodes) world.restart(node);
    world.run(5000);
    expect(world.owners()).toEqual(before);
    expect(world.observer.longest).toMatchObject({ cached: 0, twoMacs: 0 });
    world.blocks.clear();
    world.run(15_000);
    expect(world.owners()).toEqual(before);
    expect(disagreements(world)).toEqual([]);
  });

  test("hellos filtered for one; then the owner's power-off, or another's", () => {
    for (const dies of ["it", "another"]) {
      const world = settled();
      const owner = world.owner(IP);
      filterHellosOf(world, owner);
      world.run(5000);
      expect(world.observer.longest).toMatchObject({ cached: 0, twoMacs: 0 });
      world.powerOff(dies === "it" ? owner : (others(world, owner)[0] as SimNode));
      world.run(5000);
      expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
      expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(RECORD_MS);
      expect(notAnsweredOnce(world)).toEqual([]);
      expectAgreementUnfiltered(world);
    }
  });

  test("hellos filtered for one, which reboots; then another dies", () => {
    const world = settled();
    const [a, b] = world.nodes as [SimNode, SimNode];
    filterHellosOf(world, a);
    world.run(3000);
    world.powerOff(a);
    world.run(20_000);
    world.powerOn(a);
    world.run(15_000);
    expect(notAnsweredOnce(world)).toEqual([]);
    world.powerOff(b);
    world.run(5000);
    expect(notAnsweredOnce(world)).toEqual([]);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(RECORD_MS);
    expectAgreementUnfiltered(world);
  });

  test("hellos filtered for one, which is drained", () => {
    const world = settled();
    const owner = world.owner(IP);
    filterHellosOf(world, owner);
    world.run(3000);
    world.setIP(
      IP,
      world.everybody().filter(({ node }) => node !== owner.name),
    );
    world.run(5000);
    expect(world.answered(IP)).toHaveLength(1);
    expect(world.owner(IP)).not.toBe(owner);
    expect(world.observer.longest.unanswered).toBe(0);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(RECORD_MS);
    expectAgreementUnfiltered(world);
  });

  test("hellos one-way: nothing moves, and a power-off is noticed", () => {
    const world = settled();
    const before = moves(world);
    const [a, b] = world.nodes as [SimNode, SimNode];
    filterHellosFrom(world, a, b);
    world.run(90_000);
    expect(moves(world)).toBe(before);
    expect(world.observer.longest).toEqual({ cached: 0, unanswered: 0, twoMacs: 0 });
    world.powerOff(a);
    world.run(5000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
    expectAgreementUnfiltered(world);
  });

  test("hellos and ARP one-way with 2 nodes", () => {
    const world = settled(2);
    const [a, b] = world.nodes as [SimNode, SimNode];
    cutOneWay(world, a, b);
    world.run(20_000);
    expect(notAnsweredOnce(world)).toEqual([]);
    world.heal();
    world.run(15_000);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(HEAL_MS);
    expect(disagreements(world)).toEqual([]);
  });

  test("hearing that is not transitive: steady, a death, and moves", () => {
    const world = settled(4);
    const before = moves(world);
    const [a, b, c] = world.nodes as [SimNode, SimNode, SimNode];
    cutOneWay(world, a, b);
    cutOneWay(world, b, a);
    world.run(30_000);
    expect(moves(world)).toBe(before);
    expect(world.observer.longest).toEqual({ cached: 0, unanswered: 0, twoMacs: 0 });
    expect(a.segment?.view().neighbours.find(({ node }) => node === b.name)?.state).toBe("Indirect");
    world.powerOff(c);
    world.run(5000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
    for (const score of [50, 60, 70]) {
      const preferred = world.random.pick([a, b]);
      const scored = world.everybody().map((one) => ({ ...one, score: one.node === preferred.name ? score : 0 }));
      for (const ip of world.ips.keys()) world.setIP(ip, scored);
      world.run(3000);
      expect(notAnsweredOnce(world)).toEqual([]);
    }
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(RECORD_MS);
    expectAgreementUnfiltered(world);
  });

  test("pause under a filter with 2 nodes", () => {
    const world = settled(2);
    const [a] = world.nodes as [SimNode];
    filterHellos(world);
    world.run(3000);
    a.pause(5000);
    world.run(5000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS + 50);
    world.run(20_000);
    expect(notAnsweredOnce(world)).toEqual([]);
    expectAgreementUnfiltered(world);
  });

  test.each([
    [0.1, 0],
    [0.3, 3],
  ])("loss of %d for 60 s: at most %i moves", (rate, most) => {
    const world = settled();
    const before = moves(world);
    world.lossRate = rate;
    world.run(60_000);
    expect(moves(world) - before).toBeLessThanOrEqual(most);
    world.lossRate = 0;
    world.run(15_000);
    expect(world.observer.longest.cached).toBe(0);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(most === 0 ? 0 : 300);
    expect(disagreements(world)).toEqual([]);
  });

  test.each([
    [0.1, 1500],
    [0.3, 2600],
  ])("loss of %d with a power-off", (rate, cachedMs) => {
    const world = settled();
    world.lossRate = rate;
    world.run(5000);
    world.powerOff(world.owner(IP));
    world.run(10_000);
    world.lossRate = 0;
    world.run(15_000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(cachedMs);
    expect(world.observer.longest.unanswered).toBeLessThanOrEqual(700);
    expect(disagreements(world)).toEqual([]);
  });

  test("duplicates, frames 40 ms late, clocks at 0.3 to 1.3 of the time", () => {
    const world = new World({ seed, nodes: 3, ips: 6, clockRates: [0.9, 1, 1.3] });
    world.duplicationRate = 0.3;
    world.reorders = true;
    for (const node of world.nodes) node.start();
    world.run(5000);
    world.observer.reset();
    const before = moves(world);
    world.run(20_000);
    expect(moves(world)).toBe(before);
    world.powerOff(world.owner(IP));
    world.run(5000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(500);
    expect(disagreements(world)).toEqual([]);
  });

  test("a clock at 0.3 of the time", () => {
    const world = new World({ seed, nodes: 3, ips: 6, clockRates: [0.3, 1, 1] });
    for (const node of world.nodes) node.start();
    world.run(5000);
    const before = moves(world);
    world.observer.reset();
    world.run(20_000);
    expect(moves(world)).toBe(before);
    expect(world.observer.longest).toMatchObject({ cached: 0, twoMacs: 0 });
    world.powerOff(world.owner(IP));
    world.run(5000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(1500);
  });
});
