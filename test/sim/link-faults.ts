import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

/** Faults of the network between single nodes; `world.blocks.delete(name)` mends each. */

/** Hellos pass between nobody. */
export function filterHellos(world: World): void {
  world.blocks.set("filter", (_, __, kind) => kind === "hello");
}

/** No hellos from or to a node. */
export function filterHellosOf(world: World, { name }: SimNode): void {
  world.blocks.set("filter", (from, to, kind) => kind === "hello" && (from === name || to === name));
}

/** No hellos from one node to another. */
export function filterHellosFrom(world: World, from: SimNode, to: SimNode): void {
  world.blocks.set(`${from.name} > ${to.name}`, (a, b, kind) => kind === "hello" && a === from.name && b === to.name);
}

/** Neither hellos nor ARP from one node to another. */
export function cutOneWay(world: World, from: SimNode, to: SimNode): void {
  world.blocks.set(`${from.name} > ${to.name}`, (a, b) => a === from.name && b === to.name);
}

/** A node receives nothing. */
export function deafen(world: World, { name }: SimNode): void {
  world.blocks.set("deaf", (_, to) => to === name);
}

/** Nothing that a node sends arrives. */
export function mute(world: World, { name }: SimNode): void {
  world.blocks.set("mute", (from) => from === name);
}
