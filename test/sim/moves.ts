import type { World } from "./world.ts";

const TAKEN = ["Free", "Yielded", "Overruled"];

/** How many times an IP was taken over so far. */
export function moves(world: World): number {
  return world.nodes
    .flatMap(({ changes }) => changes)
    .filter(({ what, cause }) => what === "Claimed" && TAKEN.includes(cause)).length;
}
