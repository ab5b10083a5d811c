import { describe, expect, test } from "vitest";
import { disagreements } from "./agreement.ts";
import { SEEDS } from "./seeds.ts";
import { World } from "./world.ts";

const IP = "192.0.2.10";

/** Detection time, the delay of a frame and the resolution of the observer, in ms. */
const TAKEOVER_MS = 360;
/** One hello, the request it causes and its answer. */
const HEAL_MS = 130;

describe.each(SEEDS)("seed %i", (seed) => {
  const settled = (nodes = 3) => World.settled({ seed, nodes, ips: 6 });

  test("at the start each IP goes to one node, spread over all", () => {
    const world = settled();
    expect(new Set(Object.values(world.owners())).size).toBeGreaterThan(1);
    expect(disagreements(world)).toEqual([]);
  });

  test("power-off: the IPs move within the detection time, and no others do", () => {
    const world = settled();
    const before = world.owners();
    const dead = world.owner(IP);
    world.powerOff(dead);
    world.run(3000);
    const stayed = (owners: Record<string, string>) =>
      Object.entries(owners).filter(([ip]) => before[ip] !== dead.name);
    expect(stayed(world.owners())).toEqual(stayed(before));
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
    expect(world.observer.longest.twoMacs).toBe(0);
    expect(disagreements(world)).toEqual([]);
  });

  test("two owners die 30 ms apart", () => {
    const world = settled(4);
    const first = world.owner(IP);
    world.powerOff(first);
    world.run(30);
    world.powerOff(world.nodes.find((node) => node !== first) ?? first);
    world.run(3000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS + 50);
    expect(world.observer.longest.twoMacs).toBe(0);
    expect(disagreements(world)).toEqual([]);
  });

  test("a dead node that returns takes nothing back", () => {
    const world = settled();
    const dead = world.owner(IP);
    world.powerOff(dead);
    world.run(3000);
    const before = world.owners();
    world.powerOn(dead);
    world.run(15_000);
    expect(world.owners()).toEqual(before);
    expect(disagreements(world)).toEqual([]);
  });

  test("only one of two left: it takes all, and the other takes nothing back", () => {
    const world = settled(2);
    const dead = world.owner(IP);
    world.powerOff(dead);
    world.run(2000);
    expect(new Set(Object.values(world.owners())).size).toBe(1);
    world.powerOn(dead);
    world.run(12_000);
    expect(world.owners()[IP]).not.toBe(dead.name);
    expect(disagreements(world)).toEqual([]);
  });

  test("partition: each side is served, and after the heal the larger side keeps", () => {
    const world = settled();
    const lone = world.owner(IP);
    world.partition(lone.name);
    world.run(30_000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
    const larger = Object.fromEntries([...world.ips.keys()].map((ip) => [ip, world.answered(ip, 0)[0]?.name]));
    world.heal();
    world.observer.reset();
    world.run(5000);
    expect(world.owners()).toEqual(larger);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(HEAL_MS);
    expect(world.observer.longest.unanswered).toBe(0);
    expect(disagreements(world)).toEqual([]);
  });

  test("after a heal, the clients of both sides send to the owner", () => {
    const world = settled();
    world.partition(world.owner(IP).name);
    world.run(5000);
    world.heal();
    world.run(5000);
    for (const ip of world.ips.keys())
      for (const client of world.nodes) expect(world.observer.sendsTo(client, ip)).toBe(world.owner(ip));
  });

  test.each([0.1, 0.3])("loss of %d: all agree when it is over", (rate) => {
    const world = settled();
    world.lossRate = rate;
    world.run(20_000);
    world.lossRate = 0;
    world.run(12_000);
    expect(disagreements(world)).toEqual([]);
  });

  test("a lost claims frame is asked for again", () => {
    const world = settled();
    let lost = 0;
    world.drop = (_, __, frame) => frame[14 + 3] === 2 && lost++ < 4;
    world.setIP("192.0.2.99", world.everybody());
    world.run(1000);
    expect(lost).toBeGreaterThan(0);
    expect(world.observer.longest.twoMacs).toBe(0);
    expect(disagreements(world)).toEqual([]);
  });

  test("a speaker that restarts at once keeps its IPs", () => {
    const world = settled();
    const before = world.owners();
    const owner = world.owner(IP);
    const moves = world.nodes.map((node) => node.changes.length);
    world.restart(owner);
    world.run(3000);
    expect(world.owners()).toEqual(before);
    expect(owner.changes.slice(moves[world.nodes.indexOf(owner)]).map(({ cause }) => cause)).toContain("Adopted");
    expect(world.observer.longest.cached).toBe(0);
    expect(disagreements(world)).toEqual([]);
  });

  test("all speakers restart at once: no IP moves", () => {
    const world = settled();
    const before = world.owners();
    for (const node of world.nodes) node.crash();
    for (const node of world.nodes) world.after(world.random.between(0, 200), () => node.start());
    world.run(3000);
    expect(world.owners()).toEqual(before);
    expect(disagreements(world)).toEqual([]);
  });

  test("a late joiner takes only what is nobody's", () => {
    const world = new World({ seed, nodes: 3, ips: 6 });
    const [late, ...others] = world.nodes;
    for (const node of others) node.start();
    world.run(3000);
    const before = world.owners();
    world.observer.reset();
    late?.start();
    world.run(3000);
    expect(world.owners()).toEqual(before);
    expect(world.observer.longest).toEqual({ cached: 0, unanswered: 0, twoMacs: 0 });
    expect(disagreements(world)).toEqual([]);
  });

  test("a leaver hands over without a gap", () => {
    const world = settled();
    const leaver = world.owner(IP);
    leaver.leave();
    world.run(200);
    expect(leaver.segment?.view()).toMatchObject({ left: true, claims: [] });
    leaver.crash();
    world.powerOff(leaver);
    world.run(3000);
    expect(world.observer.longest.cached).toBe(0);
    expect(world.observer.longest.unanswered).toBe(0);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(20);
    expect(disagreements(world)).toEqual([]);
  });

  test("a leaver on its own has left at once, and answers to the end", () => {
    const world = settled(1);
    world.nodes[0]?.leave();
    expect(world.nodes[0]?.segment?.view().left).toBe(true);
    world.run(1000);
    expect(world.owners()[IP]).toBe("n1");
  });

  test("all leave: somebody still answers", () => {
    const world = settled();
    for (const node of world.nodes) node.leave();
    world.run(3000);
    expect(world.observer.longest.unanswered).toBe(0);
    expect(Object.keys(world.owners())).toHaveLength(6);
  });

  test.each([400, 1000])("an owner that stalls for %d ms", (forMs) => {
    const world = settled();
    const owner = world.owner(IP);
    world.stall(owner, forMs);
    world.run(forMs);
    expect(owner.answer(IP), "answers nothing before it knows better").toBeUndefined();
    world.run(5000);
    expect(world.observer.longest.twoMacs).toBe(0);
    expect(disagreements(world)).toEqual([]);
  });

  test("drain by candidates: make before break", () => {
    const world = settled();
    const owner = world.owner(IP);
    world.setIP(
      IP,
      world.everybody().filter(({ node }) => node !== owner.name),
    );
    world.run(3000);
    expect(world.owner(IP)).not.toBe(owner);
    expect(world.observer.longest.unanswered).toBe(0);
    expect(world.observer.longest.cached).toBe(0);
    expect(world.observer.longest.twoMacs).toBeLessThanOrEqual(20);
  });

  test("drain in a minority: the successor relieves the owner once", () => {
    const world = settled(5);
    const owner = world.owner(IP);
    const successor = world.nodes.find((node) => node !== owner) ?? owner;
    for (const node of world.nodes) if (node !== owner && node !== successor) world.powerOff(node);
    world.run(2000);
    for (let round = 0; round < 3; round++) {
      for (const to of [successor, owner]) {
        const changes = to.changes.length;
        world.setIP(IP, [{ node: to.name, score: 0 }]);
        world.run(1000);
        expect(world.owner(IP)).toBe(to);
        expect(to.changes.slice(changes).filter(({ ip }) => ip === IP)).toHaveLength(1);
      }
    }
  });

  test("a preferred node that does not know the IP leaves it to the next after one step", () => {
    const world = settled();
    const preferred = world.nodes[0] ?? world.owner(IP);
    world.lagMs.set(preferred.name, 5000);
    world.setIP(
      "192.0.2.99",
      world.everybody().map((one) => ({ ...one, score: one.node === preferred.name ? 50 : 0 })),
    );
    world.run(1000);
    expect(world.owner("192.0.2.99")).not.toBe(preferred);
    world.run(6000);
    expect(world.owner("192.0.2.99")).toBe(preferred);
    expect(disagreements(world)).toEqual([]);
  });

  test("an IP that is assigned no more is answered by nobody", () => {
    const world = settled();
    world.setIP(IP, undefined);
    world.run(1000);
    expect(world.answering(IP)).toEqual([]);
    expect(disagreements(world)).toEqual([]);
  });

  test("with the API away, a death is handled as ever", () => {
    const world = settled();
    world.apiUp = false;
    world.powerOff(world.owner(IP));
    world.run(3000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS);
    expect(disagreements(world)).toEqual([]);
  });

  test("clocks that run 5 % apart", () => {
    const world = new World({ seed, nodes: 3, ips: 6, clockRates: [0.95, 1, 1.05] });
    for (const node of world.nodes) node.start();
    world.run(3000);
    world.observer.reset();
    world.powerOff(world.owner(IP));
    world.run(3000);
    expect(world.observer.longest.cached).toBeLessThanOrEqual(TAKEOVER_MS + 20);
    expect(disagreements(world)).toEqual([]);
  });

  test("while nothing happens, nothing is sent but hellos", () => {
    const world = settled();
    world.run(10_000);
    const before = world.framesSent;
    world.run(10_000);
    expect(world.framesSent - before).toBeLessThanOrEqual(3 * 100);
    expect(world.framesSent - before).toBeGreaterThanOrEqual(3 * 98);
  });
});
