import type { World } from "./world.ts";

/** Says what is wrong once all faults are over and some time has passed; empty: all agree, and each IP has one owner. */
export function disagreements(world: World): string[] {
  const wrong: string[] = [];
  for (const [ip, candidates] of world.ips) {
    const alive = candidates.filter(({ node }) => world.node(node).running).map(({ node }) => node);
    const owners = world.answered(ip).map(({ name }) => name);
    if (owners.length !== (alive.length > 0 ? 1 : 0)) wrong.push(`${ip} is answered by [${owners}]`);
    for (const owner of owners) if (!alive.includes(owner)) wrong.push(`${ip} is answered by ${owner}, no candidate`);
  }
  for (const node of world.nodes) if (node.running) wrong.push(...strange(world, node.name));
  return wrong;
}

function strange(world: World, name: string): string[] {
  const wrong: string[] = [];
  const view = world.node(name).segment?.view();
  if (view?.starting) wrong.push(`${name} is starting`);
  for (const { ip, yielding } of view?.claims ?? []) {
    if (yielding) wrong.push(`${name} yields ${ip}`);
    if (!world.ips.has(ip)) wrong.push(`${name} claims ${ip}, which is assigned no more`);
  }
  for (const { node, addresses } of view?.deputyFor ?? [])
    wrong.push(`${name} is the deputy of ${node} for ${addresses} IPs`);
  if (view?.isolated) wrong.push(`${name} takes itself for isolated`);
  for (const { node, state, claims, claimsMissing } of view?.neighbours ?? []) {
    const other = world.node(node);
    if ((state === "Heard") !== other.running) wrong.push(`${name} takes ${node} for ${state}`);
    const own = other.segment?.view().claims.length ?? 0;
    if (other.running && (claimsMissing || claims !== own))
      wrong.push(`${name} knows ${claims} of ${own} claims of ${node}`);
  }
  return wrong;
}

/** The IPs that nobody answers for, or more than one MAC. */
export function notAnsweredOnce(world: World): string[] {
  return [...world.ips.keys()].filter((ip) => world.answered(ip).length !== 1);
}
