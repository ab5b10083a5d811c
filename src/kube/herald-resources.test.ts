import fc from "fast-check";
import { Value } from "typebox/value";
import { expect, test } from "vitest";
import { BGPPeerSpecSchema } from "../api/bgp-peer.ts";
import { IPPoolSpecSchema } from "../api/ippool.ts";
import { bgpPeers, ipPools, speakers } from "./herald-resources.ts";

test.each([bgpPeers, ipPools, speakers])(
  "whatever comes in, a $kind is kept or left empty, and nothing throws",
  (resource) => {
    const field = fc.constantFrom(
      ...[
        "metadata",
        "spec",
        "status",
        "addresses",
        "announce",
        "layer2",
        "nodeSelector",
        "matchExpressions",
        "values",
      ],
      ...[
        "exclude",
        "namespaceSelector",
        "bgp",
        "communities",
        "preferredNodes",
        "selector",
        "aggregationLength",
        "priority",
      ],
      ...["claims", "interfaces", "subnets", "ips", "conditions", "ipv4", "peers", "state", "asn"],
      ...["bfd", "passwordSecretRef", "gracefulRestart", "ebgpMultihop", "addressFamilies", "holdTime"],
    );
    const { json } = fc.letrec((tie) => ({
      json: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom<unknown>(null, true, 3, "text"),
        fc.dictionary(field, tie("json")),
        fc.array(tie("json"), { maxLength: 3 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(field, json), (raw) => {
        expect(resource.keep(raw).meta.name).toBe("");
      }),
      { numRuns: 500 },
    );
  },
);

test("an IPPool gets the defaults of its CRD", () => {
  const spec = { addresses: ["192.0.2.1"] };
  const defaults = { exclude: [], autoAssign: true, avoidBuggyIPs: false, disabled: false, priority: 0 };
  expect(ipPools.keep({ spec }).spec).toEqual({ ...spec, ...defaults, announce: [{ layer2: {} }] });
  const bgp = { aggregationLength: 32, aggregationLengthV6: 128 };
  expect(ipPools.keep({ spec: { ...spec, announce: [{ bgp: {} }] } }).spec.announce).toEqual([{ bgp }]);
  expect(ipPools.keep({ spec }).spec).toEqual(Value.Default(IPPoolSpecSchema, spec));
});

test("an IPPool keeps all that its spec and its status say", () => {
  const selector = {
    matchLabels: { rack: "a" },
    matchExpressions: [{ key: "zone", operator: "NotIn", values: ["b"] }],
  };
  const spec = {
    addresses: ["192.0.2.1"],
    exclude: ["192.0.2.1"],
    autoAssign: false,
    avoidBuggyIPs: true,
    disabled: true,
    priority: -3,
    namespaceSelector: selector,
    serviceSelector: selector,
    announce: [
      { layer2: { interfaces: ["eth0"], nodeSelector: selector, preferredNodes: [{ weight: 50, selector }] } },
      {
        bgp: {
          peers: ["tor-a"],
          nodeSelector: selector,
          aggregationLength: 0,
          aggregationLengthV6: 64,
          localPref: 200,
          med: 4294967295,
          communities: ["65000:100"],
        },
      },
    ],
  };
  const usage = { total: 1, assigned: 0, available: 1 };
  const status = { ipv4: usage, ipv6: usage, stranded: 2, conditions: [] };
  const kept = ipPools.keep({ spec, status });
  expect(kept.spec).toEqual(spec);
  expect(kept.status).toEqual(status);
  expect(Object.keys(IPPoolSpecSchema.properties).toSorted()).toEqual(Object.keys(spec).toSorted());
  expect(ipPools.keep({ spec: { addresses: [], announce: [] } }).spec.announce).toEqual([]);
});

test("a Speaker keeps all that its status says", () => {
  const status = {
    version: "1.0.0",
    incarnation: "12",
    interfaces: [{ name: "eth0", mac: "02:00:5e:00:00:01", subnets: ["192.0.2.11/24"], defaultRoute: true }],
    layer2: { claims: [{ interface: "eth0", ips: ["192.0.2.10=17"] }] },
    bgp: {
      gobgpd: "Running",
      asn: 4294967295,
      routerID: "192.0.2.11",
      sessions: "1/2",
      routes: 3,
      withdrawn: "Evacuated" as const,
      peers: [
        {
          name: "tor-a",
          address: "192.0.2.1",
          asn: 64513,
          state: "Established",
          since: "2026-01-01T00:00:00Z",
          lastError: "the hold timer expired",
          holdTime: "9s",
          keepaliveTime: "3s",
          advertised: 3,
          accepted: 0,
          flaps: 1,
          bfd: "Up",
        },
        { name: "tor-b", address: "eth1", asn: 64513, state: "Refused" },
      ],
    },
  };
  expect(speakers.keep({ status }).status).toEqual(status);
});

test("what a newer speaker says of gobgpd, a session or BFD is unknown to this one", () => {
  const bgp = { gobgpd: "Upgrading", peers: [{ state: "Paused", bfd: "Sleepy" }] };
  const kept = speakers.keep({ status: { bgp } }).status.bgp;
  expect(kept).toEqual({
    gobgpd: "Unknown",
    sessions: "",
    routes: 0,
    peers: [{ name: "", address: "", asn: 0, state: "Unknown" }],
  });
});

test("a BGPPeer gets the defaults of its CRD", () => {
  const spec = { myASN: 64512, peerASN: 64513, peerAddress: "192.0.2.1" };
  const kept = bgpPeers.keep({ spec }).spec;
  expect(kept).toEqual(Value.Default(BGPPeerSpecSchema, structuredClone(spec)));
  const parts = { ...spec, bfd: {}, gracefulRestart: {}, passwordSecretRef: { name: "tor-a" } };
  expect(bgpPeers.keep({ spec: parts }).spec).toEqual(Value.Default(BGPPeerSpecSchema, structuredClone(parts)));
});

test("a BGPPeer keeps all that its spec says", () => {
  const spec = {
    myASN: 4294967295,
    peerASN: 1,
    peerAddress: "2001:db8::1",
    peerInterface: "eth1",
    peerPort: 1790,
    sourceAddress: "2001:db8::11",
    bindInterface: "eth0",
    passive: true,
    nodeSelector: { matchLabels: { rack: "a" } },
    routerID: "192.0.2.11",
    holdTime: "1m30s",
    keepaliveTime: "30s",
    connectRetryTime: "10s",
    ebgpMultihop: { ttl: 5 },
    passwordSecretRef: { name: "tor-a", key: "md5" },
    bfd: { transmitInterval: "100ms", receiveInterval: "200ms", detectMultiplier: 5 },
    gracefulRestart: { restartTime: "60s" },
    addressFamilies: ["ipv6" as const],
  };
  const kept = bgpPeers.keep({ metadata: { name: "tor-a", generation: 3 }, spec });
  expect(kept).toMatchObject({ meta: { name: "tor-a" }, generation: 3 });
  expect(kept.spec).toEqual(spec);
  expect(Object.keys(BGPPeerSpecSchema.properties).toSorted()).toEqual(Object.keys(spec).toSorted());
});
