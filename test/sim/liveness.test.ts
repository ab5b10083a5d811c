import { describe, expect, test } from "vitest";
import { disagreements } from "./agreement.ts";
import { moves } from "./moves.ts";
import { SEEDS } from "./seeds.ts";
import type { SimNode } from "./sim-node.ts";
import { World } from "./world.ts";

/** A speaker that is away while its kernel answers, with all that can go wrong meanwhile. */

const IP = "192.0.2.10";
/** A missed hello, the probe of the kernel and its answer; to which the observer's steps come. */
const EARLY_MS = 150;
/** Detection time, the delay of a frame and the resolution of the observer, in ms. */
const TAKEOVER_MS = 360;

/** No client was cut off, a deputy answered in time, and in the end all agree. */
function expectUnnoticed(world: World): void {
  expect(world.observer.longest).toMatchObject({ cached: 0, twoMacs: 0 });
  expect(world.observer.longest.unanswered).toBeLessThanOrEqual(EARLY_MS);
  expect(disagreements(world)).toEqual([]);
}

describe.each(SEEDS)("seed %i", (seed) => {
  const settled = (nodes = 3, more = {}) => World.settled({ seed, nodes, ips: 6, ...more });

  test.each([50, 100, 400, 1000, 5000])("speaker killed, back after %d ms", (awayMs) => {
    const world = settled();
    const owner = world.owner(IP);
    const before = moves(world);
    owner.crash();
    world.run(awayMs);
    owner.start();
    world.run(15_000);
    expect(moves(world)).toBe(before);
    expectUnnoticed(world);
  });

  test("speaker killed in its start", () => {
    const world = settled();
    const owner = world.owner(IP);
    const before = moves(world);
    owner.crash();
    world.run(500);
    owner.start();
    world.run(200);
    owner.crash();
    world.run(500);
    owner.start();
    world.run(15_000);
    expect(moves(world)).toBe(before);
    expectUnnoticed(world);
  });

  test("killed speakers that wait for their turn again and again while they start: nothing moves", () => {
    const world = settled();
    const before = moves(world);
    for (let round = 0; round < 20; round++) {
      const node = world.random.pick(world.nodes);
      node.crash();
      world.run(1500);
      node.start();
      for (let nap = 0; nap < 12; nap++) {
        world.run(world.random.between(0, 40));
        world.stall(world.random.pick(world.nodes), world.random.between(150, 295));
        world.run(world.random.between(0, 150));
      }
      world.run(3000);
    }
    expect(moves(world)).toBe(before);
    expect(disagreements(world)).toEqual([]);
  });

  test("SIGSTOP for 10 s", () => {
    const world = settled();
    const before = moves(world);
    world.stall(world.owner(IP), 10_000);
    world.run(25_000);
    expect(moves(world)).toBe(before);
    expectUnnoticed(world);
  });

  test("SIGSTOP beyond the grace", () => {
    const world = settled(3, { restartGraceMs: 5000 });
    const owner = world.owner(IP);
    world.stall(owner, 10_000);
    world.run(4900);
    expect(world.owner(IP)).toBe(owner);
    world.run(5100);
    expect(world.owner(IP)).not.toBe(owner);
    world.run(15_000);
    expectUnnoticed(world);
  });

  test.each([-1000, 1000])("speaker killed, back %d ms from the end of the grace", (offMs) => {
    const world = settled(3, { restartGraceMs: 5000 });
    const owner = world.owner(IP);
    owner.crash();
    world.run(5300 + offMs);
    owner.start();
    world.run(15_000);
    expect(world.owner(IP) === owner).toBe(offMs < 0);
    expectUnnoticed(world);
  });

  test("speaker restarts with the API away", () => {
    const world = settled();
    const owner = world.owner(IP);
    const before = moves(world);
    world.apiUp = false;
    owner.crash();
    world.run(100);
    owner.start();
    world.run(20_000);
    world.apiUp = true;
    world.apiChanged();
    world.run(3000);
    expect(moves(world)).toBe(before);
    expectUnnoticed(world);
  });

  test("a view of the API that comes after the start's listening: who is away is asked before anything is taken", () => {
    const world = settled();
    const before = moves(world);
    const [late, away] = world.nodes as [SimNode, SimNode];
    late.crash();
    away.crash();
    world.lagMs.set(late.name, 1000);
    late.start();
    world.run(5000);
    expect(moves(world)).toBe(before);
    away.start();
    world.lagMs.clear();
    world.run(15_000);
    expect(moves(world)).toBe(before);
    expect(disagreements(world)).toEqual([]);
  });

  test("rolling restart", () => {
    const world = settled();
    const before = moves(world);
    for (const node of world.nodes) {
      node.restart(500);
      world.run(4000);
    }
    world.run(10_000);
    expect(moves(world)).toBe(before);
    expect(world.observer.longest).toEqual({ cached: 0, twoMacs: 0, unanswered: 0 });
    expect(disagreements(world)).toEqual([]);
  });

  test.each([0, 150])("restart, with %d ms of the others' hellos lost: always answered", (lostMs) => {
    const world = settled();
    const owner = world.owner(IP);
    owner.restart(2000);
    while (owner.running) world.run(1);
    const fromMs = world.now() + 230; // it falls silent for them 0 to 100 ms later
    world.blocks.set("others' hellos", (from, to, kind) => {
      const lost = kind === "hello" && from !== owner.name && to !== owner.name;
      return lost && world.now() >= fromMs && world.now() < fromMs + lostMs;
    });
    for (let ms = 0; ms < 4000; ms++) world.run(1); // the observer looks at each step
    expect(world.observer.longest).toEqual({ cached: 0, twoMacs: 0, unanswered: 0 });
  });

  test("all speakers restart at once", () => {
    const world = settled();
    const before = world.owners();
    for (const node of world.nodes) node.crash();
    for (const node of world.nodes) world.after(world.random.between(0, 2000), () => node.start());
    world.run(15_000);
    expect(world.owners()).toEqual(before);
    expect(world.observer.longest).toMatchObject({ cached: 0, twoMacs: 0 });
    expect(disagreements(world)).toEqual([]);
  });

  test("the owner's kernel dies after its speaker", () => {
    const world = settled();
    const owner = world.owner(IP);
    owner.crash();
    world.run(5000);
    world.powerOff(owner);
    world.run(3000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
    expect(world.observer.longest.twoMacs).toBe(0);
    expect(disagreements(world)).toEqual([]);
  });

  test("the deputy's speaker dies, then its kernel", () => {
    const world = settled(4);
    const owner = world.owner(IP);
    owner.crash();
    world.run(2000);
    const deputy = world.answering(IP)[0]?.by as SimNode;
    expect(deputy).not.toBe(owner);
    deputy.crash();
    world.run(2000);
    world.powerOff(deputy);
    world.run(2000);
    expect(world.owner(IP)).toBe(owner);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS); // of what the deputy owned
    expect(world.observer.longest.twoMacs).toBe(0);
    owner.start();
    world.powerOn(deputy);
    world.run(15_000);
    expect(world.owner(IP)).toBe(owner);
    expect(disagreements(world)).toEqual([]);
  });

  test("a takeover, then the new owner's speaker crashes before its record is written", () => {
    const world = settled();
    world.recordLagMs = 20_000;
    const dead = world.owner(IP);
    world.powerOff(dead);
    world.run(400);
    const owner = world.owner(IP);
    owner.crash();
    world.run(1000);
    owner.start();
    world.run(30_000);
    expect(world.owner(IP)).toBe(owner);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
    expect(world.observer.longest.twoMacs).toBe(0);
    expect(disagreements(world)).toEqual([]);
  });

  test("VM pause with a frozen clock", () => {
    const world = settled();
    const owner = world.owner(IP);
    owner.pause(5000);
    world.run(4000);
    expect(world.owner(IP)).not.toBe(owner);
    world.run(15_000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(110);
    expect(disagreements(world)).toEqual([]);
  });

  test("reboot with the speaker late", () => {
    const world = settled();
    const owner = world.owner(IP);
    world.powerOff(owner);
    world.run(20_000);
    const before = world.owners();
    owner.powered = true;
    world.run(10_000);
    owner.start();
    world.run(15_000);
    expect(world.owners()).toEqual(before);
    expect(world.observer.longest.twoMacs).toBe(0);
    expect(disagreements(world)).toEqual([]);
  });

  test("a stranger takes the dead node's address", () => {
    const world = settled();
    const owner = world.owner(IP);
    world.powerOff(owner);
    const stranger = { name: "stranger", ip: owner.address, mac: Uint8Array.of(2, 0, 0, 0, 9, 9) };
    world.run(200);
    world.addHost(stranger);
    for (let at = 250; at < 1000; at += 50) {
      world.run(50);
      world.announce(stranger);
    }
    world.run(2000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
    expect(disagreements(world)).toEqual([]);
  });

  test("power back to all but the owner: within the grace its IPs are free", () => {
    const world = settled();
    const owner = world.owner(IP);
    for (const node of world.nodes) world.powerOff(node);
    world.run(5000);
    world.observer.reset();
    for (const node of world.nodes)
      if (node !== owner) world.after(world.random.between(0, 1000), () => world.powerOn(node));
    world.run(5000);
    expect(world.owner(IP)).not.toBe(owner);
    expect(world.observer.longest.twoMacs).toBe(0);
    expect(disagreements(world)).toEqual([]);
  });

  test("power back to all: no IP moves where the kernels are up before the speakers", () => {
    const world = settled();
    const before = world.owners();
    for (const node of world.nodes) world.powerOff(node);
    world.run(5000);
    for (const node of world.nodes) node.powered = true;
    world.run(1000);
    for (const node of world.nodes) world.after(world.random.between(0, 3000), () => node.start());
    world.run(15_000);
    expect(world.owners()).toEqual(before);
    expect(world.observer.longest.twoMacs).toBe(0);
    expect(disagreements(world)).toEqual([]);
  });
});
