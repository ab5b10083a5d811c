import { sessionsUp } from "../lab/bgp-sessions.ts";
import type { Lab } from "../lab/lab.ts";
import { type NodeName, nodePlan } from "../lab/plan.ts";
import { BIRD_AS, FRR_AS, NODE_AS, type RouterConfig } from "../lab/router-config.ts";
import type { Router } from "../lab/routers.ts";
import { podReady } from "../lab/until.ts";
import { type ProductOptions, service, startProduct } from "./product.ts";

export type Family = "ipv4" | "ipv6";

/**
 * So many packets of BFD, one each 100 ms, have to be missed in a row where no session is to fall: a busy machine halts a
 * program for more than 300 ms at times.
 */
const PATIENT = 20;
/** As many as routers have by default: where it is tried how soon a session falls. */
export const QUICK = 3;

/** The sessions of every node with both routers, one each, for both families, with quick timers besides. */
export function peersWith(detectMultiplier: number) {
  const bfd = { transmitInterval: "100ms", receiveInterval: "100ms", detectMultiplier };
  const spec = { myASN: NODE_AS, connectRetryTime: "1s", bfd };
  return {
    frr: { ...spec, peerASN: FRR_AS, peerAddress: "192.0.2.1" },
    bird: { ...spec, peerASN: BIRD_AS, peerAddress: "192.0.2.2" },
  };
}

export const PEERS = peersWith(PATIENT);

/** The pool of the tests that need only one. */
const POOL = ["172.22.0.2-172.22.0.100", "2001:db8:ffff::2-2001:db8:ffff::100"];

/**
 * Brings up a lab in which Herald has a BGP session from each node to FRR and to BIRD, a pool "bgp" that is announced
 * so, and a pod of app=demo on n1 and n2.
 */
export async function startBGP(
  options: Omit<ProductOptions, "routers"> & {
    readonly routers?: Partial<RouterConfig>;
    readonly peers?: Readonly<Record<string, object>>;
  } = {},
): Promise<Lab> {
  const { peers = PEERS, routers, ...more } = options;
  const lab = await startProduct({ routers: { bfdMultiplier: PATIENT, ...routers }, ...more });
  try {
    await apply(lab, ...Object.entries(peers).map(([name, spec]) => peer(name, spec)), bgpPool("bgp", POOL));
    for (const node of ["n1", "n2"] as const) {
      await lab.createPod({ name: `demo-${node}`, node });
      await podReady(lab.api, "default", `demo-${node}`);
    }
    await sessionsUp(lab, Object.keys(peers).length);
    return lab;
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

export function apply(lab: Lab, ...manifests: readonly string[]): Promise<string> {
  return lab.kubectl(["apply", "--filename=-"], manifests.join("\n---\n"));
}

export function peer(name: string, spec: object): string {
  return JSON.stringify({ apiVersion: "heraldlb.io/v1alpha1", kind: "BGPPeer", metadata: { name }, spec });
}

/** `entries`: what its `announce` has, of BGP alone. It gives addresses only to those who ask for it. */
export function bgpPool(name: string, addresses: readonly string[], ...entries: readonly object[]): string {
  const announce = (entries.length === 0 ? [{}] : entries).map((bgp) => ({ bgp }));
  const spec = { addresses, autoAssign: false, announce };
  return JSON.stringify({ apiVersion: "heraldlb.io/v1alpha1", kind: "IPPool", metadata: { name }, spec });
}

/** A Service that asks a pool, or a pool for an address. */
export function bgpService(
  name: string,
  from: { readonly pool?: string; readonly ips?: string },
  spec: object = {},
): string {
  const object = JSON.parse(service(name, spec));
  const { pool = "bgp", ips } = from;
  object.metadata.annotations = { "heraldlb.io/pool": pool, ...(ips === undefined ? {} : { "heraldlb.io/ips": ips }) };
  return JSON.stringify(object);
}

/** FRR and BIRD. */
export function bothRouters(lab: Lab): readonly [Router, Router] {
  const [frr, bird] = lab.routers;
  if (frr === undefined || bird === undefined) throw new Error("the lab was started without routers");
  return [frr, bird];
}

/** The next hops that routes to these nodes have. */
export function hops(nodes: readonly NodeName[], family: Family = "ipv4"): string[] {
  return nodes.map((node) => nodePlan(node).data.addresses[family]);
}

/** Waits until both routers' kernels route an address to these nodes, or a prefix. */
export async function routedTo(lab: Lab, ip: string, nodes: readonly NodeName[], timeoutMs?: number): Promise<void> {
  const family = ip.includes(":") ? "ipv6" : "ipv4";
  await Promise.all(lab.routers.map((router) => router.routed(prefixOf(ip), hops(nodes, family), timeoutMs)));
}

/** The prefix of one address; of a prefix, itself. */
export function prefixOf(ip: string): string {
  if (ip.includes("/")) return ip;
  return `${ip}/${ip.includes(":") ? 128 : 32}`;
}

/** What a router's path from a node says. */
export async function pathFrom(router: Router, node: NodeName, ip: string) {
  const { ipv4, ipv6 } = nodePlan(node).data.addresses;
  return (await router.paths(prefixOf(ip))).find(({ nextHop }) => nextHop === ipv4 || nextHop === ipv6);
}

/** Waits until a client behind each router gets answers, and from these pods alone, over all nodes that are routed to. */
export async function reachableBehind(
  lab: Lab,
  ip: string,
  wanted: readonly string[],
  giveUpMs = 15_000,
): Promise<void> {
  for (const { plan } of lab.routers) {
    const giveUp = performance.now() + giveUpMs;
    for (;;) {
      const answers = await lab.ask("udp", { ip, port: 80, count: 40, timeoutMs: 200 }, plan.client);
      const pods = [...new Set(answers.map((answer) => ("pod" in answer ? answer.pod : "nobody")))].sort();
      if (pods.join() === wanted.join()) break;
      if (performance.now() > giveUp) throw new Error(`${plan.client} asks ${ip}: answered by ${pods.join(" and ")}`);
    }
  }
}

/** So many flows of each client: the router spreads them over the nodes. */
const FLOWS = 6;

/** Runs `act` while a client behind each router sends UDP to an address; gives what each lost, and for how long at most. */
export async function probing(lab: Lab, ip: string, act: () => Promise<unknown>) {
  const flows = Array.from({ length: FLOWS }, () => ({ ip, port: 80, intervalUs: 2000 }));
  const probes = await Promise.all(
    lab.routers.map(({ plan }) => Promise.all(flows.map((flow) => lab.udpProbe(flow, plan.client)))),
  );
  await act();
  const reports = await Promise.all(probes.map((those) => Promise.all(those.map((probe) => probe.stop()))));
  return lab.routers.map(({ software }, index) => {
    const those = reports[index] as (typeof reports)[number];
    if (those.some(({ answered }) => answered === 0)) throw new Error(`${ip}: a flow behind ${software} got no answer`);
    const lost = those.reduce((sum, one) => sum + one.lost, 0);
    return { software, lost, longestOutageMs: Math.max(...those.map((one) => one.longestOutageMs)) };
  });
}

/** Runs `act`, and gives what each router's log said meanwhile of sessions and routes. */
export async function newsOf(lab: Lab, act: () => Promise<unknown>) {
  const marks = await Promise.all(lab.routers.map((router) => router.mark()));
  await act();
  const news = await Promise.all(lab.routers.map((router, index) => router.newsSince(marks[index] as number)));
  return lab.routers.map(({ software }, index) => ({ software, ...(news[index] as (typeof news)[number]) }));
}

/** What `newsOf` gives where no session and no route came or went. */
export const NO_NEWS = ["FRR", "BIRD"].map((software) => ({ software, up: [], down: [], withdrawn: [] }));
