import { describe, expect, test } from "vitest";
import { disagreements } from "./agreement.ts";
import { moves } from "./moves.ts";
import { SEEDS } from "./seeds.ts";
import type { SimNode } from "./sim-node.ts";
import { World } from "./world.ts";

/** The API away, late, or seen differently by each node; what it says of candidates and preference; handing over. */

const IP = "192.0.2.10";
const TAKEOVER_MS = 360;

describe.each(SEEDS)("seed %i", (seed) => {
  const settled = (nodes = 3, more = {}) => World.settled({ seed, nodes, ips: 6, ...more });
  const without = (world: World, ...not: SimNode[]) =>
    world.everybody().filter(({ node }) => not.every(({ name }) => name !== node));
  const preferring = (world: World, ...those: SimNode[]) =>
    world.everybody().map((one) => ({ ...one, score: those.some(({ name }) => name === one.node) ? 50 : 0 }));

  test("Local endpoints leave an owner whose API is away: it is overruled", () => {
    const world = settled();
    const owner = world.owner(IP);
    world.lagMs.set(owner.name, 30_000);
    world.setIP(IP, without(world, owner));
    world.run(1900);
    expect(world.owner(IP)).toBe(owner);
    world.run(500);
    expect(world.owner(IP)).not.toBe(owner);
    expect(world.observer.longest).toMatchObject({ cached: 0, unanswered: 0 });
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(20);
    world.run(40_000);
    expect(disagreements(world)).toEqual([]);
  });

  test("an owner whose API is away, in a minority: it is overruled once", () => {
    const world = settled(5);
    const owner = world.owner(IP);
    const successor = world.nodes.find((node) => node !== owner) as SimNode;
    for (const node of world.nodes) if (node !== owner && node !== successor) world.powerOff(node);
    world.run(2000);
    const before = moves(world);
    world.lagMs.set(owner.name, 30_000);
    world.setIP(IP, [{ node: successor.name, score: 0 }]);
    world.run(20_000);
    expect(world.owner(IP)).toBe(successor);
    expect(moves(world) - before).toBe(1);
  });

  test("a watch of the owner that is only slow is waited for", () => {
    const world = settled();
    const owner = world.owner(IP);
    world.lagMs.set(owner.name, 1500);
    world.setIP(IP, without(world, owner));
    world.run(5000);
    expect(owner.changes.filter(({ ip, what }) => ip === IP && what === "Yielding")).toHaveLength(1);
    expect(world.observer.longest).toMatchObject({ cached: 0, unanswered: 0 });
    world.lagMs.clear();
    world.run(10_000);
    expect(disagreements(world)).toEqual([]);
  });

  test("a stale node thinks that it is preferred: the IP does not go to and fro", () => {
    const world = settled();
    const [stale, other] = world.nodes as [SimNode, SimNode];
    world.setIP(IP, preferring(world, stale));
    world.run(3000);
    expect(world.owner(IP)).toBe(stale);
    world.lagMs.set(stale.name, 20_000);
    const before = moves(world);
    world.setIP(IP, preferring(world, other));
    world.run(15_000);
    expect(world.owner(IP)).toBe(other);
    expect(moves(world) - before).toBeLessThanOrEqual(1);
    world.run(20_000);
    world.lagMs.clear();
    world.run(3000);
    expect(disagreements(world)).toEqual([]);
  });

  test("two stale views that contradict each other: a few moves, and no more", () => {
    const world = settled();
    const [a, b] = world.nodes as [SimNode, SimNode];
    world.lagMs.set(a.name, 20_000);
    for (const ip of world.ips.keys()) world.setIP(ip, preferring(world, b));
    world.run(100);
    world.lagMs.set(b.name, 20_000);
    for (const ip of world.ips.keys()) world.setIP(ip, preferring(world, a));
    const before = moves(world);
    world.run(20_000);
    expect(moves(world) - before).toBeLessThanOrEqual(12);
    world.run(30_000);
    world.lagMs.clear();
    world.run(5000);
    expect(disagreements(world)).toEqual([]);
  });

  test("the API changes each 700 ms, and is seen up to 2.5 s late", () => {
    const world = settled();
    for (const node of world.nodes) world.lagMs.set(node.name, world.random.between(100, 2500));
    for (let i = 0; i < 15; i++) {
      world.setIP(world.random.pick([...world.ips.keys()]), preferring(world, world.random.pick(world.nodes)));
      world.run(700);
    }
    world.run(5000);
    world.lagMs.clear();
    world.run(15_000);
    expect(world.observer.longest).toMatchObject({ cached: 0, unanswered: 0 });
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(20);
    expect(disagreements(world)).toEqual([]);
  });

  test("death with late, contradicting views", () => {
    const world = settled();
    const owner = world.owner(IP);
    const [a, b] = world.nodes.filter((node) => node !== owner) as [SimNode, SimNode];
    world.lagMs.set(a.name, 1000);
    world.lagMs.set(b.name, 3000);
    world.setIP(IP, without(world, a));
    world.run(500);
    world.setIP(IP, without(world, b));
    world.powerOff(owner);
    world.run(2000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(2 * TAKEOVER_MS);
    world.run(10_000);
    expect(world.owner(IP)).toBe(a);
  });

  test("drain with views 3 s late", () => {
    const world = settled();
    const owner = world.owner(IP);
    for (const node of world.nodes) if (node !== owner) world.lagMs.set(node.name, 3000);
    world.setIP(IP, without(world, owner));
    world.run(8000);
    expect(world.owner(IP)).not.toBe(owner);
    expect(world.observer.longest).toMatchObject({ cached: 0, unanswered: 0 });
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(20);
    world.lagMs.clear();
    world.run(10_000);
    expect(disagreements(world)).toEqual([]);
  });

  test("evacuated, and back: nothing is lost, and nothing moves back", () => {
    const world = settled();
    const owner = world.owner(IP);
    owner.setConditions(true, false);
    world.run(1000);
    expect(owner.segment?.view().claims).toEqual([]);
    const before = world.owners();
    owner.setConditions(false, false);
    world.run(3000);
    expect(world.owners()).toEqual(before);
    expect(world.observer.longest).toMatchObject({ cached: 0, unanswered: 0 });
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(20);
    expect(disagreements(world)).toEqual([]);
  });

  test("the node proxy of the owner fails: its IPs go to nodes that forward", () => {
    const world = settled();
    const owner = world.owner(IP);
    owner.setConditions(false, true);
    world.run(1000);
    expect(owner.segment?.view().claims).toEqual([]);
    expect(world.observer.longest).toMatchObject({ cached: 0, unanswered: 0 });
    expect(disagreements(world)).toEqual([]);
  });

  test("a node that does not forward, and whose speaker dies, is not waited for", () => {
    const world = settled();
    for (const node of world.nodes) node.setConditions(false, true);
    world.run(1000);
    const owner = world.owner(IP);
    owner.crash();
    for (const node of world.nodes) if (node !== owner) node.setConditions(false, false);
    world.run(2000);
    expect(world.owner(IP)).not.toBe(owner);
  });

  test("no node forwards: each IP keeps its owner", () => {
    const world = settled();
    const before = world.owners();
    for (const node of world.nodes) world.after(world.random.between(0, 2000), () => node.setConditions(false, true));
    world.run(10_000);
    for (const ip of world.ips.keys()) expect(world.answered(ip)).toHaveLength(1);
    for (const node of world.nodes) node.setConditions(false, false);
    world.run(5000);
    expect(Object.keys(before)).toEqual(Object.keys(world.owners()));
    expect(world.observer.longest).toMatchObject({ cached: 0, unanswered: 0 });
    expect(disagreements(world)).toEqual([]);
  });

  test("the preferred node changes: handed over without a gap", () => {
    const world = settled();
    for (const node of world.nodes) {
      world.setIP(IP, preferring(world, node));
      world.run(2000);
      expect(world.owner(IP)).toBe(node);
    }
    expect(world.observer.longest).toMatchObject({ cached: 0, unanswered: 0 });
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(20);
    expect(disagreements(world)).toEqual([]);
  });

  test("a preferred node that died and returned gets its IP back after 10 s, and not before", () => {
    const world = settled();
    const owner = world.owner(IP);
    world.setIP(IP, preferring(world, owner));
    world.run(1000);
    world.powerOff(owner);
    world.run(3000);
    world.powerOn(owner);
    world.observer.reset();
    world.run(9000);
    expect(world.owner(IP)).not.toBe(owner);
    world.run(3000);
    expect(world.owner(IP)).toBe(owner);
    expect(world.observer.longest).toMatchObject({ cached: 0, unanswered: 0 });
    expect(disagreements(world)).toEqual([]);
  });

  test("the first by rank never claims: the next does after a step", () => {
    const world = settled();
    const NEW = "192.0.2.99";
    world.lagMs.set((world.nodes[0] as SimNode).name, 60_000);
    world.setIP(NEW, world.everybody());
    world.run(1500);
    expect(world.answered(NEW)).toHaveLength(1);
  });

  test("the sole candidate's speaker crashes: others answer for it", () => {
    const world = settled();
    const owner = world.owner(IP);
    world.setIP(IP, [{ node: owner.name, score: 0 }]);
    world.run(2000);
    owner.crash();
    world.run(5000);
    expect(world.owner(IP)).toBe(owner);
    owner.start();
    world.run(5000);
    expect(world.observer.longest).toMatchObject({ cached: 0, twoMacs: 0 });
    expect(disagreements(world)).toEqual([]);
  });

  test.each(["alone", "one is away", "loss"])("a late joiner: %s", (how) => {
    const world = new World({ seed, nodes: 3, ips: 6 });
    const [late, ...early] = world.nodes as [SimNode, SimNode, SimNode];
    if (how === "alone") for (const node of early) node.powered = false;
    else for (const node of early) node.start();
    world.run(3000);
    if (how === "one is away") early[0].crash();
    if (how === "loss") world.lossRate = 0.2;
    world.run(1000);
    const before = moves(world);
    world.observer.reset();
    late.start();
    world.run(10_000);
    world.lossRate = 0;
    if (how === "alone") expect(new Set(Object.values(world.owners()))).toEqual(new Set([late.name]));
    else expect(moves(world)).toBe(before);
    expect(world.observer.longest.twoMacs).toBe(0);
    if (how === "one is away") early[0].start();
    if (how === "alone") for (const node of early) world.powerOn(node);
    world.run(15_000);
    expect(disagreements(world)).toEqual([]);
  });

  test("claims are lost, then both who know of them die", () => {
    const world = settled(4);
    const [a, b] = world.nodes as [SimNode, SimNode];
    world.drop = (from, _, frame) => from === a && frame[17] === 2;
    world.setIP(IP, [{ node: a.name, score: 0 }]);
    world.run(150);
    world.powerOff(a);
    world.powerOff(b);
    world.setIP(IP, world.everybody());
    world.run(5000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS + 350);
    expect(disagreements(world)).toEqual([]);
  });
});
