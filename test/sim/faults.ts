import { cutOneWay, deafen, filterHellos, filterHellosFrom, filterHellosOf, mute } from "./link-faults.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

/** Something that goes wrong, and is mended by itself within `FAULT_MS`. */
export type Fault = keyof typeof FAULTS;

/** The longest time that a fault takes, in ms. */
export const FAULT_MS = 6000;

const FAULTS = {
  crash: (world: World, node: SimNode) => {
    node.crash();
    world.after(world.random.between(10, 3000), () => revive(node));
  },
  powerOff: (world: World, node: SimNode) => {
    world.powerOff(node);
    world.after(world.random.between(100, 5000), () => revive(node));
  },
  leave: (world: World, node: SimNode) => {
    node.leave();
    world.after(1000, () => node.crash());
    world.after(1000 + world.random.between(100, 3000), () => revive(node));
  },
  restart: (world: World, node: SimNode) => node.restart(world.random.between(50, 2000)),
  speakerThenKernel: (world: World, node: SimNode) => {
    node.crash();
    world.after(world.random.between(50, 2000), () => world.powerOff(node));
    world.after(world.random.between(2100, 5000), () => revive(node));
  },
  stall: (world: World, node: SimNode) => world.stall(node, world.random.between(200, 2500)),
  pause: (world: World, node: SimNode) => node.pause(world.random.between(100, 4000)),
  evacuate: (world: World, node: SimNode) => {
    node.setConditions(true, node.notForwarding);
    world.after(world.random.between(50, FAULT_MS), () => node.setConditions(false, node.notForwarding));
  },
  notForwarding: (world: World, node: SimNode) => {
    node.setConditions(node.evacuating, true);
    world.after(world.random.between(50, FAULT_MS), () => node.setConditions(node.evacuating, false));
  },
  partition: (world: World, node: SimNode) => {
    world.partition(node.name, world.random.pick(world.nodes).name);
    healLater(world);
  },
  cut: (world: World, node: SimNode) => {
    world.cut(node);
    healLater(world);
  },
  filter: (world: World) => {
    filterHellos(world);
    healLater(world);
  },
  filterOne: (world: World, node: SimNode) => {
    filterHellosOf(world, node);
    healLater(world);
  },
  filterOneWay: (world: World, node: SimNode) => {
    filterHellosFrom(world, node, world.random.pick(world.nodes));
    healLater(world);
  },
  cutOneWay: (world: World, node: SimNode) => {
    cutOneWay(world, node, world.random.pick(world.nodes));
    healLater(world);
  },
  deaf: (world: World, node: SimNode) => {
    deafen(world, node);
    healLater(world);
  },
  mute: (world: World, node: SimNode) => {
    mute(world, node);
    healLater(world);
  },
  loss: (world: World) => {
    world.lossRate = world.random.between(0.05, 0.3);
    world.duplicationRate = 0.1;
    world.after(world.random.between(500, FAULT_MS), () => {
      world.lossRate = 0;
      world.duplicationRate = 0;
    });
  },
  api: (world: World) => {
    world.apiUp = false;
    world.after(world.random.between(500, FAULT_MS), () => {
      world.apiUp = true;
      world.apiChanged();
    });
  },
  lag: (world: World, node: SimNode) => {
    world.lagMs.set(node.name, world.random.between(100, 2500));
    world.after(FAULT_MS, () => world.lagMs.delete(node.name));
  },
  candidates: (world: World) => {
    const some = world.everybody().filter(() => world.random.chance(0.6));
    world.setIP(world.random.pick([...world.ips.keys()]), some);
  },
  preference: (world: World, node: SimNode) => {
    const scored = world.everybody().map((one) => ({ ...one, score: one.node === node.name ? 50 : 0 }));
    world.setIP(world.random.pick([...world.ips.keys()]), scored);
  },
} as const;

export const ALL_FAULTS = Object.keys(FAULTS) as Fault[];

/** Faults of speakers and the API alone: their nodes go on forwarding, so no IP may move. */
export const SPEAKER_FAULTS: readonly Fault[] = ["crash", "restart", "stall", "api", "lag"];

/** Faults of single links: after them two nodes may answer until a record is read, and longer where the API is away too. */
export const LINK_FAULTS: readonly Fault[] = ["filter", "filterOne", "filterOneWay", "cutOneWay", "deaf", "mute"];

/** Lets a fault happen now, to a node picked by chance where it hits one. */
export function inflict(world: World, fault: Fault): void {
  const up = world.nodes.filter((node) => node.running);
  if (up.length > 0) FAULTS[fault](world, world.random.pick(up));
}

function healLater(world: World): void {
  world.after(world.random.between(50, FAULT_MS), () => world.heal());
}

function revive(node: SimNode): void {
  node.powered = true;
  if (node.segment === undefined) node.start();
}
