import fc from "fast-check";
import { expect, test } from "vitest";
import type { Layer2Announce } from "../api/announce.ts";
import type { IPPool } from "../api/ippool.ts";
import type { EndpointSlice, Meta, Node, Service } from "../api/objects.ts";
import type { Speaker } from "../api/speaker.ts";
import type { HeldIP } from "../bgp/held-ip.ts";
import { PersistentMap } from "../persistent-map.ts";
import { HeldIPs, type ServicesView } from "./held-ips.ts";
import type { Interface } from "./interfaces.ts";
import { type LeanService, leanService } from "./lean-services.ts";
import { type ApiView, Segments } from "./snapshot.ts";

const meta = (name: string, more: Partial<Meta> = {}): Meta => ({
  namespace: "",
  name,
  uid: `uid-${name}`,
  resourceVersion: "1",
  createdAt: 0,
  deleting: false,
  labels: {},
  annotations: {},
  finalizers: [],
  ...more,
});
const node = (name: string, more: Partial<Node> = {}): Node => ({
  meta: meta(name),
  unschedulable: false,
  networkUnavailable: false,
  internalIPs: [],
  ...more,
});
const speaker = (name: string, status: Speaker["status"]): Speaker => ({ meta: meta(name), status });
const onEth0 = (name: string, ips: string[] = [], cidr = "192.0.2.11/24", nic = "eth0") =>
  speaker(name, {
    incarnation: "7",
    interfaces: [{ name: nic, mac: "02:00:00:00:00:01", subnets: [cidr], defaultRoute: true }],
    layer2: { claims: [{ interface: nic, ips }] },
  });
const epochs = (all: Record<string, bigint>) => PersistentMap.from(Object.entries(all));
const service = (ip: string, more: Partial<Service> = {}): LeanService =>
  leanService({
    meta: meta("web", { namespace: "default", annotations: { "heraldlb.io/assigned-ips": ip } }),
    generation: 1,
    type: "LoadBalancer",
    clusterIPs: [],
    ipFamilies: ["IPv4"],
    ipFamilyPolicy: "SingleStack",
    externalTrafficPolicy: "Cluster",
    ports: [],
    selector: {},
    ingress: [{ ip }],
    conditions: [],
    ...more,
  });
const slice: EndpointSlice = {
  meta: meta("web-1", { namespace: "default" }),
  serviceName: "web",
  addressType: "IPv4",
  endpoints: [{ nodeName: "n2", serving: true }],
};
const pool = (announce: IPPool["spec"]["announce"] = [{ layer2: {} }]): IPPool => ({
  meta: meta("default"),
  generation: 1,
  spec: {
    addresses: ["192.0.2.200-192.0.2.210", "10.1.0.0/16"],
    exclude: [],
    autoAssign: true,
    avoidBuggyIPs: false,
    disabled: false,
    priority: 0,
    announce,
  },
  status: {},
});
const eth0: Interface = {
  name: "eth0",
  mac: "02:00:00:00:00:01",
  addresses: ["192.0.2.11/24", "2001:db8::11/64"],
  linkLocal: "fe80::11",
  defaultRoute: true,
  gateways: ["192.0.2.1"],
};
/** What a speaker knows, Services and all. */
interface World extends ApiView, Pick<ServicesView, "slicesOf"> {
  readonly services: readonly LeanService[];
}

function heldIn({ services, slicesOf }: World) {
  const holdersOf = (ip: string) => services.filter(({ ips }) => ips.includes(ip));
  return new HeldIPs({ services: () => services, holdersOf, slicesOf }).now();
}

function buildSegments(self: string, world: World, own: readonly Interface[]) {
  const segments = new Segments(self);
  segments.take(world, own, heldIn(world));
  return segments.inputs(world, own);
}

const api = (more: Partial<World> = {}): World => ({
  services: [service("192.0.2.200")],
  slicesOf: (key) => (key === "default/web" ? [slice] : []),
  nodes: [node("n1"), node("n2")],
  pools: [pool()],
  speakers: [onEth0("n1"), onEth0("n2", ["192.0.2.200=3"])],
  ready: new Set(["n2"]),
  versions: new Map([["Service", "12"]]),
  ...more,
});
const ipsOn = (view: World, own: readonly Interface[] = [eth0]) =>
  buildSegments("n1", view, own).map((segment) => ({
    interface: segment.interface,
    ips: [...segment.snapshot.ips].map(([ip, candidates]) => `${ip} ${candidates.map((c) => c.node).join(" ")}`),
  }));

const WHEREABOUTS = { mac: Uint8Array.of(2, 0, 0, 0, 0, 1), address: "192.0.2.11", address6: "" };

test("an assigned IP is wanted on the interface whose subnet holds it, with its candidates", () => {
  const segments = buildSegments("n1", api(), [eth0]);
  expect(segments).toEqual([
    {
      interface: "eth0",
      address: "192.0.2.11",
      address6: "fe80::11",
      gateways: ["192.0.2.1"],
      recordedMac: "02:00:00:00:00:01",
      snapshot: {
        versions: new Map([["Service", "12"]]),
        ips: PersistentMap.from([
          [
            "192.0.2.200",
            [
              { node: "n1", score: 0 },
              { node: "n2", score: 0 },
            ],
          ],
        ]),
        records: [
          { node: "n1", incarnation: 7n, claims: epochs({}), ...WHEREABOUTS },
          {
            node: "n2",
            incarnation: 7n,
            claims: epochs({ "192.0.2.200": 3n }),
            ...WHEREABOUTS,
          },
        ],
        ready: new Set(["n2"]),
      },
    },
  ]);
});

test.each<{ name: string; view: Partial<World>; want: string[] }>([
  { name: "of another class", view: { services: [service("192.0.2.200", { loadBalancerClass: "x/y" })] }, want: [] },
  {
    name: "of a Service whose type changed",
    view: { services: [service("192.0.2.200", { type: "ClusterIP" })] },
    want: [],
  },
  { name: "in the status alone", view: { services: [service("192.0.2.200", { meta: meta("web") })] }, want: [] },
  { name: "in the record alone", view: { services: [service("192.0.2.200", { ingress: [] })] }, want: [] },
  {
    name: "that its pool has no more, since it was narrowed",
    view: {
      services: [
        service("192.0.2.99", {
          meta: meta("web", {
            namespace: "default",
            annotations: { "heraldlb.io/assigned-ips": "192.0.2.99", "heraldlb.io/assigned-pool": "default" },
          }),
        }),
      ],
    },
    want: ["192.0.2.99 n1 n2"],
  },
  {
    name: "that two pools have, of the one that gave it out",
    view: {
      pools: [pool(), { ...pool([]), meta: meta("younger") }],
      services: [
        service("192.0.2.200", {
          meta: meta("web", {
            namespace: "default",
            annotations: { "heraldlb.io/assigned-ips": "192.0.2.200", "heraldlb.io/assigned-pool": "younger" },
          }),
        }),
      ],
    },
    want: [],
  },
  { name: "in no pool", view: { services: [service("192.0.2.1")] }, want: [] },
  { name: "of a pool that only assigns", view: { pools: [pool([])] }, want: [] },
  { name: "without a serving endpoint", view: { slicesOf: () => [] }, want: ["192.0.2.200 "] },
  {
    name: "with endpoints of the other family only",
    view: { slicesOf: () => [{ ...slice, addressType: "IPv6" }] },
    want: ["192.0.2.200 "],
  },
  {
    name: "of a Local Service",
    view: { services: [service("192.0.2.200", { externalTrafficPolicy: "Local" })] },
    want: ["192.0.2.200 n2"],
  },
  {
    name: "in no node's subnet: the default route's interface",
    view: { services: [service("10.1.2.3")] },
    want: ["10.1.2.3 n1 n2"],
  },
  {
    name: "of a pool that selects other nodes",
    view: { pools: [pool([{ layer2: { nodeSelector: { matchLabels: { rack: "b" } } } }])] },
    want: ["192.0.2.200 "],
  },
  {
    name: "of a pool that names an interface of one node",
    view: {
      pools: [pool([{ layer2: { interfaces: ["eth0"] } }])],
      speakers: [onEth0("n1"), onEth0("n2", [], "192.0.2.12/24", "ens3")],
    },
    want: ["192.0.2.200 n1"],
  },
])("an IP $name", ({ view, want }) => {
  const extra = pool();
  const pools = [...(view.pools ?? [pool()]), { ...extra, spec: { ...extra.spec, addresses: ["192.0.2.250"] } }];
  expect(ipsOn(api({ ...view, pools }))).toEqual([{ interface: "eth0", ips: want }]);
});

test("a segment is opened where some pool may announce, and nowhere else", () => {
  const pod0: Interface = {
    ...eth0,
    name: "pod0",
    mac: "02:00:00:00:00:02",
    addresses: ["10.244.1.1/24"],
    defaultRoute: false,
  };
  const opened = (pools: IPPool[]) => ipsOn(api({ pools }), [eth0, pod0]).map((segment) => segment.interface);
  expect(opened([pool()])).toEqual(["eth0"]);
  expect(opened([pool([])])).toEqual([]);
  expect(opened([pool([{ bgp: { aggregationLength: 32, aggregationLengthV6: 128 } }])])).toEqual([]);
  expect(opened([pool([{ layer2: { nodeSelector: { matchLabels: { rack: "b" } } } }])])).toEqual([]);
  expect(opened([])).toEqual([]);
});

const named = (layer2: Layer2Announce, name = "default", address = "192.0.2.200-192.0.2.210") => {
  const one = pool([{ layer2 }]);
  return { ...one, meta: meta(name), spec: { ...one.spec, addresses: [address] } };
};
const labelled = (label: string) => node("n1", { meta: meta("n1", { labels: { rack: label } }) });

test("the weights of all preferences that fit a node are added up", () => {
  const preferred = (weight: number, value: string) => ({ weight, selector: { matchLabels: { rack: value } } });
  const layer2 = { preferredNodes: [preferred(3, "a"), preferred(4, "a"), preferred(50, "b")] };
  const pools = [
    pool([{ layer2 }, { layer2 }, { layer2: { ...layer2, nodeSelector: { matchLabels: { rack: "b" } } } }]),
  ];
  const [segment] = buildSegments("n1", api({ pools, nodes: [labelled("a"), node("n2")] }), [eth0]);
  expect(segment?.snapshot.ips.get("192.0.2.200")).toEqual([
    { node: "n1", score: 14 },
    { node: "n2", score: 0 },
  ]);
});

test("a node that is not selected any more goes on knowing of the IP where it announces for another pool, to hand it over", () => {
  const away = named({ nodeSelector: { matchLabels: { rack: "a" } } });
  const other = named({}, "other", "192.0.2.250");
  const nodes = [labelled("b"), node("n2", { meta: meta("n2", { labels: { rack: "a" } }) })];
  expect(ipsOn(api({ pools: [away, other], nodes }))).toEqual([{ interface: "eth0", ips: ["192.0.2.200 n2"] }]);
  expect(ipsOn(api({ pools: [away], nodes }))).toEqual([]);
});

test("an IP that its pool has no more is announced on, also where no pool opens the interface", () => {
  const uplink: Interface = { ...eth0, name: "uplink", addresses: ["198.51.100.9/24"], defaultRoute: true };
  const inside: Interface = { ...eth0, defaultRoute: false };
  const own = speaker("n1", {
    interfaces: [inside, uplink].map(({ name, mac, addresses, defaultRoute }) => ({
      name,
      mac,
      subnets: [...addresses],
      defaultRoute,
    })),
  });
  const annotations = { "heraldlb.io/assigned-ips": "192.0.2.200", "heraldlb.io/assigned-pool": "default" };
  const held = service("192.0.2.200", { meta: meta("web", { namespace: "default", annotations }) });
  const pools = [named({}, "default", "10.1.0.0/16")];
  expect(ipsOn(api({ services: [held], pools, speakers: [own] }), [inside, uplink])).toEqual([
    { interface: "eth0", ips: ["192.0.2.200 n1"] },
    { interface: "uplink", ips: [] },
  ]);
});

test("of two NICs on one segment the first by name is used, whatever the pools name", () => {
  const eth1: Interface = { ...eth0, name: "eth1", mac: "02:00:00:00:00:02", addresses: ["192.0.2.12/24"] };
  const twins = speaker("n1", {
    incarnation: "7",
    interfaces: [eth0, eth1].map(({ name, mac, addresses }) => ({ name, mac, subnets: [...addresses] })),
  });
  const speakers = [twins, onEth0("n2")];
  const seen = (...pools: IPPool[]) => ipsOn(api({ pools, speakers }), [eth0, eth1]);
  const ips = ["192.0.2.200 n1 n2"];
  expect(seen(named({ interfaces: ["/eth./"] }))).toEqual([{ interface: "eth0", ips }]);
  expect(seen(named({}))).toEqual([{ interface: "eth0", ips }]);
  expect(seen(named({ interfaces: ["eth1"] }))).toEqual([{ interface: "eth1", ips: ["192.0.2.200 n1"] }]);
  expect(seen(named({ interfaces: ["eth1"] }), named({}, "other", "192.0.2.250"))).toEqual([
    { interface: "eth0", ips: [] },
  ]);
});

test("records count where the subnet is shared, whatever the interface is called there", () => {
  const speakers = [
    onEth0("n1", ["192.0.2.201=5"]),
    onEth0("n2", ["192.0.2.202=6"], "192.0.2.12/24", "ens3"),
    onEth0("n3", ["192.0.2.203=7"], "198.51.100.3/24"),
  ];
  const records = buildSegments("n1", api({ speakers }), [eth0])[0]?.snapshot.records;
  expect(records?.map(({ node: name, claims }) => [name, ...claims.keys()])).toEqual([
    ["n1", "192.0.2.201"],
    ["n2", "192.0.2.202"],
  ]);
});

test("an IP is known by its canonical text, as frames have it", () => {
  const odd = service("2001:DB8:0::1");
  const pools = [{ ...pool(), spec: { ...pool().spec, addresses: ["2001:db8::/64"] } }];
  const slices: EndpointSlice[] = [{ ...slice, addressType: "IPv6" }];
  const onIPv6 = api({ services: [odd], pools, slicesOf: () => slices });
  expect(ipsOn(onIPv6)).toEqual([{ interface: "eth0", ips: ["2001:db8::1 n1 n2"] }]);
});

test("a Speaker object that no speaker wrote does no harm", () => {
  const odd = speaker("n2", {
    incarnation: "from a hand",
    interfaces: [{ name: "eth0", mac: "", subnets: ["192.0.2.12/24", "no subnet"], defaultRoute: false }],
    layer2: { claims: [{ interface: "eth0", ips: ["192.0.2.201=1e3", "=", "192.0.2.202=2"] }] },
  });
  const records = buildSegments("n1", api({ speakers: [onEth0("n1"), odd] }), [eth0])[0]?.snapshot.records;
  expect(records?.[1]).toMatchObject({ incarnation: 0n, claims: epochs({ "192.0.2.202": 2n }) });
  expect(records?.[1], "there is no MAC to ask").not.toHaveProperty("mac");
});

test.each([
  { name: "there is no Speaker object", own: [] },
  { name: "it has no status yet", own: [speaker("n1", {})] },
])("a node goes by what it knows of itself where $name", ({ own }) => {
  const speakers = [...own, onEth0("n2", ["192.0.2.200=3"])];
  const [segment] = buildSegments("n1", api({ speakers }), [eth0]);
  expect(segment?.snapshot.ips.get("192.0.2.200")?.map(({ node: name }) => name)).toEqual(["n1", "n2"]);
});

test("whatever came before, what is found is the same as from nothing, and what did not change is not touched", () => {
  const ips = ["192.0.2.200", "192.0.2.201", "10.1.0.1", "198.51.100.1"];
  const worlds = fc.record({
    services: fc.subarray(ips),
    held: fc.constantFrom("EveryNode" as const, "NoNode" as const, ["n1"], ["n2"]),
    pools: fc.constantFrom([pool()], [pool([{ layer2: { interfaces: ["eth1"] } }])], [pool([])], []),
    nodes: fc.constantFrom([node("n1"), node("n2")], [node("n1")]),
    speakers: fc.constantFrom([onEth0("n1"), onEth0("n2")], [onEth0("n1"), onEth0("n2", ["10.1.0.1=3"])], []),
    own: fc.constantFrom([eth0], [eth0, { ...eth0, name: "eth1", addresses: ["198.51.100.9/24"] }]),
  });
  fc.assert(
    fc.property(fc.array(worlds, { minLength: 1, maxLength: 8 }), (steps) => {
      const segments = new Segments("n1");
      let held = PersistentMap.from<HeldIP>([]);
      let before: ReturnType<Segments["inputs"]> = [];
      for (const { services, held: serving, own, ...rest } of steps) {
        const view = { ...rest, ready: undefined, versions: new Map() };
        held = held.with(
          ips.map((ip) => [ip, services.includes(ip) ? { serving, assignedPool: "default" } : undefined]),
        );
        const fresh = new Segments("n1");
        fresh.take(view, own, held);
        const changed = segments.take(view, own, held);
        const inputs = segments.inputs(view, own);
        const plain = (all: typeof inputs) =>
          all.map(({ snapshot, ...one }) => ({ ...one, ...snapshot, ips: new Map([...snapshot.ips].sort()) }));
        expect(plain(inputs)).toEqual(plain(fresh.inputs(view, own)));
        for (const ip of ips) expect(segments.intentOf(ip)).toEqual(fresh.intentOf(ip));
        if (changed !== "All" && changed.length === 0)
          for (const [i, { snapshot }] of inputs.entries()) expect(snapshot.ips).toBe(before[i]?.snapshot.ips);
        before = inputs;
      }
    }),
  );
});

test("a pool that counts another address, and is held on to from now on, is none to look at all IPs for", () => {
  const segments = new Segments("n1");
  const world = api();
  const own = [eth0];
  const ips = heldIn(world);
  segments.take(world, own, ips);
  const used = { ...pool(), status: { ipv4: { total: 11, assigned: 1, available: 10 } } };
  const held = { ...used, meta: { ...used.meta, resourceVersion: "2", finalizers: ["heraldlb.io/in-use"] } };
  expect(segments.take({ ...world, pools: [held as IPPool] }, own, ips)).toEqual([]);
  expect(segments.take({ ...world, pools: [pool([])] }, own, ips)).toBe("All");
});

test("what served once and does no more is not remembered for ever", () => {
  const segments = new Segments("n1");
  const [world, own, ip] = [api(), [eth0], "192.0.2.200"];
  const intentWhere = (serving: readonly string[]) => {
    segments.take(world, own, PersistentMap.from([[ip, { serving, assignedPool: "default" }]]));
    return segments.intentOf(ip);
  };
  const first = intentWhere(["n1"]);
  expect(intentWhere(["n1"])).toBe(first);
  for (let n = 0; n < 1_100; n++) intentWhere([`m${n}`]);
  expect(intentWhere(["n1"])).toEqual(first);
  expect(intentWhere(["n1"])).not.toBe(first);
});
