import { setTimeout as sleep } from "node:timers/promises";
import { addressOf, IPV6_ONLY, macOf, pool, reachable, SERVICE, service, startProduct } from "../../e2e/product.ts";
import type { Lab } from "../../lab/lab.ts";
import { NODE_NAMES, type NodeName } from "../../lab/plan.ts";

/** A Service's one IP. */
export interface Served {
  readonly name: string;
  readonly ip: string;
}

/** Announcements and records of first claims are over after this. */
const SETTLED_MS = 4000;
/** Of 15 s each. */
const FOLLOWED_TRIES = 4;
const EVERY_POD = { app: null, all: "yes" };

/** Brings a lab up in which Herald runs, with a pool of each family. Nodes stay Ready while they are off for a while. */
export async function startCluster(): Promise<Lab> {
  const lab = await startProduct({ nodeGraceMs: 120_000 });
  await lab.kubectl(["apply", "--filename=-"], pool("six", "2001:db8:1::200-2001:db8:1::220"));
  return lab;
}

/** Runs a pod on each node, which all Services have as endpoints until `serveFrom` says otherwise. */
export async function startPods(lab: Lab): Promise<void> {
  for (const node of NODE_NAMES) await lab.createPod({ name: `demo-${node}`, node, labels: { app: node, all: "yes" } });
}

/** Gives IPs of both families, each of a Service of its own; they are reachable, and all is quiet. */
export async function serve(lab: Lab, countOfEach = 1, spec: object = {}): Promise<readonly Served[]> {
  await startPods(lab);
  const names: string[] = [];
  for (let index = 0; index < countOfEach; index++) {
    for (const [name, more] of [
      [`web-${index}`, {}],
      [`six-${index}`, IPV6_ONLY],
    ] as const) {
      names.push(name);
      await lab.kubectl(["apply", "--filename=-"], service(name, { selector: { all: "yes" }, ...more, ...spec }));
    }
  }
  const served = await Promise.all(names.map(async (name) => ({ name, ip: await addressOf(lab, name) })));
  await Promise.all(served.map(({ ip }) => reachable(lab, { ip })));
  await sleep(SETTLED_MS);
  return served;
}

/** Lets the Services have the pod of one node as their only endpoint, or those of all; returns when clients see it. */
export async function serveFrom(lab: Lab, served: readonly Served[], node: NodeName | "all"): Promise<void> {
  const selector = node === "all" ? EVERY_POD : { app: node, all: null };
  await Promise.all(served.map(({ name }) => lab.api.patch(`${SERVICE}/${name}`, { spec: { selector } })));
  const pods = node === "all" ? NODE_NAMES.map((one) => `demo-${one}`) : [`demo-${node}`];
  for (const { ip } of served) await eventually(() => reachable(lab, { ip }, pods));
}

/** After an outage of the API server everybody who follows it waits up to half a minute before the next try. */
async function eventually(attempt: () => Promise<unknown>): Promise<void> {
  for (let left = FOLLOWED_TRIES; ; left--) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

/** Tells who answers for each IP; throws where it is not one node. */
export async function ownersOf(
  lab: Lab,
  served: readonly Served[],
  withinMs = 5000,
): Promise<ReadonlyMap<Served, NodeName>> {
  for (const giveUp = Date.now() + withinMs; ; ) {
    const seen = await lab.whoAnswers(
      served.map(({ ip }) => ip),
      150,
    );
    const owners = served.flatMap((one) => {
      const [mac, second] = seen.get(one.ip) ?? [];
      const owner = NODE_NAMES.find((node) => macOf(node) === mac);
      return owner === undefined || second !== undefined ? [] : [[one, owner] as const];
    });
    if (owners.length === served.length) return new Map(owners);
    if (Date.now() > giveUp) throw new Error(`answered by not one node: ${JSON.stringify([...seen])}`);
  }
}

/** Finds a node that owns an IP of each family, and these. */
export function ownerOfBoth(owners: ReadonlyMap<Served, NodeName>): { node: NodeName; own: readonly Served[] } {
  for (const node of NODE_NAMES) {
    const mine = [...owners].filter(([, owner]) => owner === node).map(([one]) => one);
    const own = [mine.find(({ ip }) => !ip.includes(":")), mine.find(({ ip }) => ip.includes(":"))];
    const both = own.filter((one) => one !== undefined);
    if (both.length === 2) return { node, own: both };
  }
  throw new Error("no node owns an IP of each family; give the lab more Services");
}

export const familyOf = ({ ip }: Pick<Served, "ip">): string => (ip.includes(":") ? "IPv6" : "IPv4");

/** Waits until a node that was off or cut off is whole again, and the speakers hear each other. */
export async function whole(lab: Lab, node: NodeName): Promise<void> {
  await lab.faults.nodeReady(node);
  await lab.speakerReady(node);
  await sleep(1500);
}
