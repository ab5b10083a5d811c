import { describe, expect, test } from "vitest";
import { disagreements } from "./agreement.ts";
import { SEEDS } from "./seeds.ts";
import type { SimNode } from "./sim-node.ts";
import { type Host, World } from "./world.ts";

/** Others on the segment who have an IP that is to be announced. */

const IP = "192.0.2.10";
const NEW = "192.0.2.99";
const STRANGER: Host = { name: "stranger", ip: NEW, mac: Uint8Array.of(2, 0, 0, 0, 9, 9) };

describe.each(SEEDS)("seed %i", (seed) => {
  const settled = () => World.settled({ seed, nodes: 3, ips: 6 });
  const conflicts = (world: World) =>
    world.nodes.flatMap(({ segment }) => segment?.view().conflicts ?? []).map(({ ip, mac }) => `${ip} ${mac}`);

  test("a new IP is answered 0.3 s after it is known", () => {
    const world = settled();
    world.setIP(NEW, world.everybody());
    world.run(250);
    expect(world.answered(NEW)).toEqual([]);
    world.run(110);
    expect(world.answered(NEW)).toHaveLength(1);
    expect(disagreements(world)).toEqual([]);
  });

  test("an IP that a stranger has is not announced, not by a restart nor by a takeover, until he is gone", () => {
    const world = settled();
    world.addHost(STRANGER);
    world.setIP(NEW, world.everybody());
    world.run(2000);
    const claimant = () => world.nodes.find(({ segment }) => segment?.view().claims.some(({ ip }) => ip === NEW));
    expect(conflicts(world)).toEqual([`${NEW} 02:00:00:00:09:09`]);
    const first = claimant() as SimNode;
    world.setIP("192.0.2.98", [{ node: first.name, score: 0 }]);
    world.run(2000); // its record is written
    first.crash();
    world.run(100);
    first.start();
    world.run(300);
    expect(world.answered(NEW), "by no deputy").toEqual([]);
    world.run(20_000);
    expect(world.answered(NEW)).toEqual([]);
    expect(conflicts(world)).toEqual([`${NEW} 02:00:00:00:09:09`]);
    const second = claimant();
    if (second !== undefined) world.powerOff(second);
    world.run(5000);
    expect(conflicts(world)).toEqual([`${NEW} 02:00:00:00:09:09`]);
    expect(world.answered(NEW)).toEqual([]);
    world.removeHost(STRANGER);
    world.run(13_000); // he may ask for something once more
    expect(world.answered(NEW)).toHaveLength(1);
    expect(conflicts(world)).toEqual([]);
    expect(disagreements(world)).toEqual([]);
  });

  test("an IP that is announced goes on being announced, and the stranger is shown until he is silent", () => {
    const world = settled();
    const owner = world.owner(IP);
    world.announce({ ...STRANGER, ip: IP });
    world.run(100);
    expect(world.owner(IP)).toBe(owner);
    expect(owner.segment?.view().conflicts).toMatchObject([{ ip: IP, announced: true, node: undefined }]);
    world.run(61_000);
    expect(conflicts(world)).toEqual([]);
  });

  test("an IP that was free for a while is probed for again", () => {
    const world = settled();
    world.setIP(IP, undefined);
    world.run(1500);
    world.addHost({ ...STRANGER, ip: IP });
    world.setIP(IP, world.everybody());
    world.run(3000);
    expect(world.answered(IP)).toEqual([]);
    expect(conflicts(world)).toEqual([`${IP} 02:00:00:00:09:09`]);
  });

  test("faults and moves are no conflicts", () => {
    const world = settled();
    for (let i = 0; i < 3; i++) {
      const owner = world.owner(IP);
      world.partition(owner.name);
      world.run(3000);
      world.heal();
      world.run(3000);
      owner.setConditions(true, false);
      world.run(1000);
      owner.setConditions(false, false);
    }
    world.run(5000);
    expect(world.nodes.flatMap(({ changes }) => changes).filter(({ what }) => what === "Conflict")).toEqual([]);
  });
});

test("a node that is gone for good, its Speaker object too, leaves the table", () => {
  const world = World.settled({ seed: 1, nodes: 3, ips: 1 });
  const [gone, stays] = world.nodes;
  if (gone === undefined || stays === undefined) throw new Error("no nodes");
  world.powerOff(gone);
  world.run(5000);
  const known = () => stays.segment?.view().neighbours.map(({ node }) => node);
  expect(known()).toContain(gone.name);
  world.records.delete(gone.name);
  world.apiChanged();
  world.run(601_000);
  expect(known()).not.toContain(gone.name);
}, 30_000);
