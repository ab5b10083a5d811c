import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeHash, rendezvousHash } from "../election/rendezvous-hash.ts";
import { arpProbe, decodeArp, gratuitousArp } from "./arp.ts";
import { clusterId, signingKey } from "./auth.ts";
import {
  decodeClaims,
  decodeFull,
  type Entry,
  encodeClaims,
  encodeFull,
  encodeRequest,
  splitEntries,
} from "./claims.ts";
import { decodeEthernet } from "./ethernet.ts";
import { decodeFrame, encodeFrame, type Frame, type FrameType } from "./frame.ts";
import { decodeHello, encodeHello, type Hello } from "./hello.ts";
import { decodeNdp, IPV6_ETHER_TYPE, type Ndp, neighborProbe } from "./ndp.ts";
import { type Effects, Segment, type SegmentConfig, type SegmentSnapshot } from "./segment.ts";

const KEY = new TextEncoder().encode("0123456789abcdef0123456789abcdef");
const key = signingKey(KEY);
const cluster = clusterId(key);
const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const IP = "192.0.2.10";

function segment(more: Partial<SegmentConfig> = {}): Segment {
  const config = { node: "n1", key: KEY, incarnation: 1n, mac: MAC, address: "192.0.2.1", helloIntervalMs: 100 };
  return new Segment({ ...config, ...more }, 0);
}

function snapshot(ips: Record<string, string[]>, records: SegmentSnapshot["records"] = []): SegmentSnapshot {
  const entries = Object.entries(ips).map(([ip, nodes]) => [ip, nodes.map((node) => ({ node, score: 0 }))] as const);
  return { versions: new Map(), ips: new Map(entries), records };
}

/** Another speaker, as far as its frames go. */
class Other {
  readonly node: string;
  incarnation = 1n;
  sequence = 0n;
  version = 0n;
  readonly mac: Uint8Array;
  constructor(node = "n2", mac: Uint8Array = Uint8Array.of(2, 0, 0, 0, 0, 2)) {
    this.node = node;
    this.mac = mac;
  }
  hello(flags: Partial<Hello["flags"]> = {}): Uint8Array {
    const hello: Omit<Hello, "hears"> = {
      flags: { starting: false, leaving: false, restarting: false, notForwarding: false, isolated: false, ...flags },
      helloIntervalMs: 100,
      multiplier: 3,
      restartGraceMs: 60_000,
      claimsVersion: this.version,
      mac: Uint8Array.of(2, 0, 0, 0, 0, 2),
      ipv4: new Uint8Array(4),
      ipv6: new Uint8Array(16),
      heard: [],
      versions: new Map(),
    };
    return this.say("hello", encodeHello(this.node, hello, 0));
  }
  claims(...entries: Entry[]): Uint8Array {
    return this.say("claims", encodeClaims({ before: this.version++, version: this.version, entries }));
  }
  say(type: FrameType, body: Uint8Array): Uint8Array {
    const { node, incarnation, mac } = this;
    const identity = { node, cluster, key, mac };
    return encodeFrame(identity, { type, incarnation, sequence: ++this.sequence, body });
  }
}

/** Ticks whenever it is due until `untilMs`; gives all effects. */
function run(it: Segment, untilMs: number): Effects[] {
  const all: Effects[] = [];
  for (let at = it.nextWake(); at <= untilMs; at = it.nextWake()) {
    all.push(it.tick(at));
    if (all.length > 10_000) throw new Error("it never rests");
  }
  return all;
}

/** A segment that is past its start and owns IP. */
function owner(): Segment {
  const it = segment();
  it.setSnapshot(snapshot({ [IP]: ["n1", "n2"] }), 0);
  run(it, 1000);
  expect(it.view().claims).toMatchObject([{ ip: IP }]);
  return it;
}

function kinds({ frames }: Effects): string[] {
  return frames.map((frame) => {
    const ethernet = decodeEthernet(frame);
    if (typeof ethernet === "string") return ethernet;
    if (ethernet.etherType === 0x0806) return "arp";
    const decoded = decodeFrame(frame, cluster, key);
    return typeof decoded === "string" ? decoded : decoded.type;
  });
}

function ndp(frame: Uint8Array): Ndp[] {
  const ethernet = decodeEthernet(frame);
  if (typeof ethernet === "string" || ethernet.etherType !== IPV6_ETHER_TYPE) return [];
  const decoded = decodeNdp(ethernet.payload);
  return typeof decoded === "string" ? [] : [decoded];
}

function bodies<T>(effects: Effects, type: FrameType, decode: (body: Uint8Array) => T): T[] {
  const frames = effects.frames.map((frame) => decodeFrame(frame, cluster, key));
  return frames.flatMap((frame) => (typeof frame !== "string" && frame.type === type ? [decode(frame.body)] : []));
}

describe("the start", () => {
  test("answers and claims nothing for the detection time, then claims before it says that it has started", () => {
    const it = segment();
    it.setSnapshot(snapshot({ [IP]: ["n1"] }, [{ node: "n2", incarnation: 0n, claims: new Map([[IP, 0n]]) }]), 0);
    const all = run(it, 330);
    const last = all.at(-1);
    expect(all.slice(0, -1).every((effects) => effects.validForMs === 0 && effects.table === undefined)).toBe(true);
    expect(last).toMatchObject({ validForMs: 400, changes: [{ ip: IP, what: "Claimed", cause: "Free", epoch: 1n }] });
    expect([...(last?.table ?? [])]).toEqual([[IP, MAC]]);
    expect(it.takeClaimNews()).toEqual({ set: [{ ip: IP, epoch: 1n, yielding: false }], removed: [] });
    expect(kinds(last as Effects)).toEqual(["claims", "hello", "arp", "arp"]);
    expect(bodies(last as Effects, "hello", decodeHello)).toMatchObject([
      { flags: { starting: false }, claimsVersion: 1n },
    ]);
  });

  test("waits for a snapshot", () => {
    const it = segment();
    expect(run(it, 5000).some((effects) => effects.validForMs > 0)).toBe(false);
    expect(it.setSnapshot(snapshot({ [IP]: ["n1"] }), 5000).changes).toHaveLength(1);
  });

  test("claims nothing by the first of frames that came together, where the last says who has it", () => {
    const hear = (together: boolean) => {
      const it = segment();
      it.setSnapshot(snapshot({ [IP]: ["n1"] }), 0);
      const other = new Other();
      other.version = 1n;
      for (const at of [10, 200, 345]) {
        run(it, at);
        it.hear(other.hello(), at);
      }
      const entries: Entry[] = [{ ip: IP, epoch: 1n, removed: false, yielding: false }];
      const frames = [other.hello(), other.say("full", encodeFull({ version: 1n, part: 0, parts: 1, entries }))];
      const effects = together ? [it.hearAll(frames, 640)] : frames.map((frame) => it.hear(frame, 640));
      expect(it.view()).toMatchObject({ starting: false, claims: [] });
      return effects.flatMap(({ changes }) => changes.map(({ what }) => what));
    };
    expect(hear(true)).toEqual([]);
    expect(hear(false)).toEqual(["Claimed", "Lost"]);
  });

  test("leaves an IP to a neighbour that has it by its record, as long as its claims do not come", () => {
    const it = segment();
    const records = [{ node: "n2", incarnation: 1n, claims: new Map([[IP, 1n]]) }];
    it.setSnapshot(snapshot({ [IP]: ["n1", "n2"] }, records), 0);
    const other = new Other();
    other.version = 1n;
    for (let at = 10; at < 5000; at += 100) {
      run(it, at);
      expect(it.hear(other.hello(), at).changes).toEqual([]);
    }
    expect(it.view()).toMatchObject({ starting: false, claims: [], deputyFor: [] });
    const none = other.say("full", encodeFull({ version: 1n, part: 0, parts: 1, entries: [] }));
    expect(it.hear(none, 5000).changes, "it has it no more").toHaveLength(0);
    for (let at = 5010; at < 6000; at += 100) {
      run(it, at);
      it.hear(other.hello(), at);
    }
    expect(it.view()).toMatchObject({ claims: [{ ip: IP }], deputyFor: [] });
  });

  test("adopts the own record, and tells nobody, for all know its MAC", () => {
    const it = segment();
    it.setSnapshot(snapshot({ [IP]: ["n1", "n2"] }, [{ node: "n1", incarnation: 0n, claims: new Map([[IP, 7n]]) }]), 0);
    const all = run(it, 3000);
    expect(all.flatMap(({ changes }) => changes)).toEqual([{ ip: IP, what: "Claimed", cause: "Adopted", epoch: 7n }]);
    expect(all.flatMap(kinds)).not.toContain("arp");
  });

  test("announces what it adopts where its MAC has changed", () => {
    const it = segment({ macChanged: true });
    const records = [{ node: "n1", incarnation: 0n, claims: new Map([[IP, 7n]]) }];
    it.setSnapshot(snapshot({ [IP]: ["n1"] }, records), 0);
    expect(run(it, 340).flatMap(kinds)).toContain("arp");
  });

  test("does not adopt what somebody alive claims, whatever the epochs", () => {
    const it = segment();
    const other = new Other();
    it.setSnapshot(snapshot({ [IP]: ["n1", "n2"] }, [{ node: "n1", incarnation: 0n, claims: new Map([[IP, 7n]]) }]), 0);
    it.hear(other.hello(), 0);
    it.hear(other.claims({ ip: IP, epoch: 3n, removed: false, yielding: false }), 1);
    for (let at = 100; at <= 300; at += 100) it.hear(other.hello(), at);
    run(it, 400);
    expect(it.view()).toMatchObject({ starting: false, claims: [] });
  });

  test("takes up its record with the highest epoch known, and announces it where that is another's", () => {
    const it = segment();
    const records = [
      { node: "n1", incarnation: 0n, claims: new Map([[IP, 3n]]) },
      { node: "n2", incarnation: 0n, claims: new Map([[IP, 5n]]) },
    ];
    it.setSnapshot(snapshot({ [IP]: ["n1", "n2"] }, records), 0);
    const all = run(it, 340);
    expect(it.view().claims).toEqual([{ ip: IP, epoch: 5n, yielding: false }]);
    expect(all.flatMap(kinds)).toContain("arp");
  });

  test("outdoes an earlier run of the same node whose clock was ahead", () => {
    const it = segment({ incarnation: 5n });
    const self = new Other("n1", MAC);
    self.incarnation = 9n;
    it.hear(self.hello(), 0);
    expect(it.view().incarnation).toBe(10n);
    it.setSnapshot(snapshot({}, [{ node: "n1", incarnation: 12n, claims: new Map() }]), 1);
    expect(it.view().incarnation).toBe(13n);
    it.setSnapshot(snapshot({}, [{ node: "n1", incarnation: 20n, claims: new Map() }]), 2);
    expect(it.view().incarnation, "of another interface of this run").toBe(13n);
  });

  test("does not outdo another interface of its node on the same segment, nor an incarnation that nothing follows", () => {
    const it = segment({ incarnation: 5n });
    const sibling = new Other("n1");
    sibling.incarnation = 9n;
    it.hear(sibling.hello(), 0);
    expect(it.view().incarnation).toBe(5n);
    const last = new Other("n1", MAC);
    last.incarnation = 2n ** 64n - 1n;
    it.hear(last.hello(), 0);
    expect(it.view().incarnation).toBe(5n);
  });

  test("ends with a table even where nothing is taken up: the responder may hold an earlier one", () => {
    const it = segment();
    it.setSnapshot(snapshot({}), 0);
    const tables = run(it, 500).flatMap(({ table }) => (table === undefined ? [] : [table.size]));
    expect(tables).toEqual([0]);
  });

  test("a new address is told in the next hello, without a new start", () => {
    const it = segment();
    it.setSnapshot(snapshot({}), 0);
    run(it, 500);
    it.moveTo("192.0.2.77");
    const frames = run(it, 700).flatMap((effects) => effects.frames);
    const hello = decodeHello((decodeFrame(frames[0] as Uint8Array, cluster, key) as Frame).body) as Hello;
    expect([...hello.ipv4]).toEqual([192, 0, 2, 77]);
    expect(it.view().starting).toBe(false);
  });
});

describe("a stall", () => {
  test("stops answering first, drops what was queued, and takes its claims up after the detection time", () => {
    const it = owner();
    const effects = it.tick(it.nextWake() + 301);
    expect(effects).toMatchObject({ validForMs: 0, discardQueued: true });
    expect(bodies(effects, "hello", decodeHello)).toMatchObject([{ flags: { starting: true } }]);
    const all = run(it, 2000);
    expect(all.flatMap(({ changes }) => changes)).toEqual([]); // nobody had it in between
    expect(all.flatMap((one) => bodies(one, "claims", decodeClaims))).toEqual([]);
    expect(all.flatMap(({ table }) => [...(table?.keys() ?? [])])).toEqual([IP]);
    expect(all.at(-1)?.validForMs).toBeGreaterThan(0);
  });

  test("gives up what another took meanwhile, in its favour", () => {
    const it = owner();
    const other = new Other();
    const at = it.nextWake() + 400;
    it.tick(at);
    it.hear(other.hello(), at + 1);
    it.hear(other.claims({ ip: IP, epoch: 0n, removed: false, yielding: false }), at + 2);
    for (let i = 1; i <= 3; i++) it.hear(other.hello(), at + 100 * i);
    const all = run(it, at + 330);
    expect(all.flatMap(({ changes }) => changes)).toMatchObject([{ ip: IP, what: "Lost", cause: "ClaimedMeanwhile" }]);
    const removals = all.flatMap((effects) => bodies(effects, "claims", decodeClaims));
    expect(removals).toMatchObject([{ entries: [{ ip: IP, removed: true, successor: nodeHash("n2") }] }]);
  });

  test("is noticed by whatever call comes first; that frame is not taken", () => {
    const it = owner();
    const effects = it.hear(new Other().hello(), it.nextWake() + 301);
    expect(effects).toMatchObject({ validForMs: 0, discardQueued: true });
    expect(it.view().neighbours).toEqual([]);
  });
});

describe("announcing", () => {
  test("an IP is announced at 0, 100, 1100 and 2200 ms by request and reply", () => {
    const it = segment();
    it.setSnapshot(snapshot({ [IP]: ["n1"] }), 0);
    const times: number[] = [];
    for (let at = it.nextWake(); at <= 5000; at = it.nextWake())
      for (const kind of kinds(it.tick(at))) if (kind === "arp") times.push(Math.round(at - 330));
    expect(times, "after three probes").toEqual([0, 100, 200, 300, 300, 400, 400, 1400, 1400, 2500, 2500]);
  });

  test("the frames say whose IP it is", () => {
    const it = segment();
    it.setSnapshot(snapshot({ [IP]: ["n1"] }), 0);
    run(it, 620);
    const arps = run(it, 640)
      .flatMap(({ frames }) => frames)
      .flatMap((frame) => {
        const ethernet = decodeEthernet(frame);
        return typeof ethernet !== "string" && ethernet.etherType === 0x0806 ? [decodeArp(ethernet.payload)] : [];
      });
    const ip = 0xc000_020a;
    expect(arps).toMatchObject([
      { operation: "request", senderMac: MAC, senderIP: ip, targetIP: ip },
      { operation: "reply", senderMac: MAC, senderIP: ip, targetMac: MAC, targetIP: ip },
    ]);
  });

  test("ends with the claim", () => {
    const it = owner();
    it.setSnapshot(snapshot({}), 1010);
    expect(run(it, 4000).flatMap(kinds)).not.toContain("arp");
  });

  test("begins anew when another gives way to it, once", () => {
    const it = owner();
    const other = new Other();
    run(it, 4000);
    it.hear(other.hello(), 4000);
    const ceded: Entry = { ip: IP, epoch: 0n, removed: true, successor: nodeHash("n1") };
    expect(kinds(it.hear(other.claims(ceded), 4001))).toContain("arp");
    expect(kinds(it.hear(other.claims(ceded), 4002))).not.toContain("arp");
  });

  test("of 10 000 IPs is spread over time, and none is forgotten", { timeout: 30_000 }, () => {
    const ips = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`10.1.${i >> 8}.${i & 255}`, ["n1"]]));
    const it = segment();
    it.setSnapshot(snapshot(ips), 0);
    const all = run(it, 15_000);
    const perCall = all.map((effects) => kinds(effects).filter((kind) => kind === "arp").length);
    expect(Math.max(...perCall)).toBeLessThanOrEqual(2 * 128);
    expect(
      perCall.reduce((a, b) => a + b),
      "three probes, and four times request and reply",
    ).toBe(10_000 * (3 + 2 * 4));
    expect(all.flatMap(({ frames }) => frames).every((frame) => frame.length <= 1514)).toBe(true);
  });

  test("an IPv6 IP is probed for, and announced by unsolicited advertisements that override", () => {
    const it = segment();
    it.setSnapshot(snapshot({ "2001:db8::1": ["n1"] }), 0);
    const heard = run(it, 4000).flatMap(({ frames }) => frames.flatMap(ndp));
    expect(heard).toMatchObject([
      ...Array(3).fill({ type: "solicitation" }),
      ...Array(4).fill({ type: "advertisement", override: true, solicited: false, router: false, mac: MAC }),
    ]);
  });
});

describe("while a new IP is probed for", () => {
  const STRANGER = Uint8Array.of(2, 0, 0, 0, 9, 9);
  const NEW = "192.0.2.11";
  const NEW6 = "2001:db8::11";
  const target6 = Uint8Array.of(0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11);

  function probing(ip: string): Segment {
    const it = owner();
    it.hear(new Other().hello(), 1000);
    it.setSnapshot(snapshot({ [IP]: ["n1", "n2"], [ip]: ["n1"] }), 1000);
    return it;
  }

  test.each([
    { ip: NEW, probe: (mac: Uint8Array) => arpProbe(mac, 0xc000020b) },
    { ip: NEW6, probe: (mac: Uint8Array) => neighborProbe(mac, target6) },
  ])("a stranger's own probe for $ip keeps it from being announced; another node's does not", ({ ip, probe }) => {
    const taken = probing(ip);
    taken.hear(probe(STRANGER), 1100);
    run(taken, 3000);
    expect(taken.view().conflicts).toMatchObject([{ ip, mac: "02:00:00:00:09:09", announced: false }]);
    const free = probing(ip);
    free.hear(probe(Uint8Array.of(2, 0, 0, 0, 0, 2)), 1100);
    free.hear(probe(MAC), 1100);
    expect(run(free, 1500).flatMap(({ changes }) => changes)).toMatchObject([{ ip, what: "Announced" }]);
    free.hear(probe(STRANGER), 1600);
    expect(free.view().conflicts, "later it gets an answer instead").toEqual([]);
  });
});

describe("what is heard", () => {
  test.each([
    { name: "own frames", frames: [new Other("n1").hello()], reason: "OwnNode" },
    { name: "claims before any hello", frames: [new Other().claims()], reason: "NoHello" },
    { name: "noise", frames: [new Uint8Array(60)], reason: "ForeignProtocol" },
  ])("$name are dropped and counted", ({ frames, reason }) => {
    const it = segment();
    for (const frame of frames) it.hear(frame, 1);
    expect(it.view().dropped).toEqual({ [reason]: 1 });
    expect(it.view().neighbours).toEqual([]);
  });

  test("a replayed frame is dropped: it does not keep a dead node alive", () => {
    const it = owner();
    const hello = new Other().hello();
    it.hear(hello, 1000);
    for (let at = 1100; at <= 1400; at += 100) it.hear(hello, at);
    expect(it.view()).toMatchObject({ dropped: { Replay: 4 }, neighbours: [{ node: "n2", state: "Dead" }] });
  });

  test("a frame of an earlier run is dropped", () => {
    const it = owner();
    const before = new Other();
    const after = new Other();
    after.incarnation = 2n;
    it.hear(after.hello(), 1000);
    it.hear(before.hello({ leaving: true }), 1001);
    expect(it.view()).toMatchObject({ dropped: { OlderIncarnation: 1 }, neighbours: [{ leaving: false }] });
  });

  test("claims of a run whose hello was not heard are dropped", () => {
    const it = owner();
    const other = new Other();
    it.hear(other.hello(), 1000);
    other.incarnation = 2n;
    it.hear(other.claims({ ip: IP, epoch: 9n, removed: false, yielding: false }), 1001);
    expect(it.view()).toMatchObject({ dropped: { NoHello: 1 }, claims: [{ ip: IP }] });
  });

  test("any bytes at any time: never an exception", () => {
    const noise = fc.uint8Array({ maxLength: 120 });
    const other = new Other();
    const types = fc.constantFrom("hello" as const, "claims" as const, "full" as const, "request" as const);
    fc.assert(
      fc.property(fc.array(fc.tuple(types, noise)), (all) => {
        const it = owner();
        for (const [type, body] of all) {
          it.hear(other.say(type, body), 1001);
          it.hear(body, 1001);
        }
        it.hear(other.hello(), 1001);
        run(it, 1200);
      }),
    );
  });
});

test("hellos, but no ARP to all in three minutes from neighbours that own something: broadcasts are dropped", () => {
  const it = owner();
  const other = new Other();
  it.hear(other.hello(), 1000);
  it.hear(other.claims({ ip: "192.0.2.11", epoch: 1n, removed: false, yielding: false }), 1001);
  const on = (fromMs: number, untilMs: number) => {
    for (let at = fromMs; at <= untilMs; at += 100) it.hear(other.hello(), at);
  };
  on(1100, 181_000);
  expect(it.view().hearsNoBroadcast).toBe(false);
  on(181_100, 181_200);
  expect(it.view().hearsNoBroadcast).toBe(true);
  it.hear(gratuitousArp("request", other.mac, 0xc000_020b), 181_250);
  expect(it.view().hearsNoBroadcast).toBe(false);
});

test("an epoch that no moves can have led to does not keep an IP for ever", () => {
  const it = owner();
  const other = new Other();
  it.hear(other.hello(), 1000);
  it.hear(other.claims({ ip: IP, epoch: 2n ** 64n - 1n, removed: false, yielding: false }), 1001);
  expect(it.view().claims, "the other loses, by its own rules too").toMatchObject([{ ip: IP, epoch: 1n }]);
});

test("who loses to a node that yields relieves it at once", () => {
  const it = owner();
  const other = new Other(rendezvousHash("n2", IP) > rendezvousHash("n1", IP) ? "n2" : "n3");
  it.hear(other.hello({ leaving: true }), 1000);
  const { changes } = it.hear(other.claims({ ip: IP, epoch: 1n, removed: false, yielding: true }), 1001);
  expect(changes).toMatchObject([
    { what: "Lost", cause: "BetterRank", epoch: 1n },
    { what: "Claimed", cause: "Yielded", epoch: 3n },
  ]);
});

describe("missing claims", () => {
  test("are asked for at once and each 50 ms until they are in", () => {
    const it = owner();
    const other = new Other();
    other.version = 3n;
    expect(kinds(it.hear(other.hello(), 1000))).toContain("request");
    const times: number[] = [];
    for (let at = it.nextWake(); at <= 1200; at = it.nextWake())
      if (kinds(it.tick(at)).includes("request")) times.push(at);
    expect(times).toEqual([1050, 1100, 1150, 1200]);
  });

  test("a gap between two claims frames is noticed without a hello", () => {
    const it = owner();
    const other = new Other();
    it.hear(other.hello(), 1000);
    other.claims();
    expect(kinds(it.hear(other.claims(), 1001))).toContain("request");
  });

  test("a request is answered at once, and several within 30 ms by one more", () => {
    const it = owner();
    const other = new Other();
    const ask = () => other.say("request", encodeRequest(nodeHash("n1")));
    it.hear(other.hello(), 1000);
    expect(bodies(it.hear(ask(), 1001), "full", decodeFull)).toMatchObject([
      { version: 2n, part: 0, parts: 1, entries: [{ ip: IP }] },
    ]);
    expect(kinds(it.hear(ask(), 1002))).not.toContain("full");
    expect(kinds(it.hear(ask(), 1003))).not.toContain("full");
    expect(it.nextWake()).toBe(1031);
    expect(kinds(it.tick(1031))).toContain("full");
  });

  test("a request for another's claims is not answered", () => {
    const it = owner();
    const other = new Other();
    it.hear(other.hello(), 1000);
    expect(kinds(it.hear(other.say("request", encodeRequest(nodeHash("n3"))), 1001))).not.toContain("full");
  });
});

test("the claims of 10 000 IPs come in many frames; lost ones are made up for by the next answer", () => {
  const other = new Other();
  const all = Array.from(
    { length: 10_000 },
    (_, i): Entry => ({ ip: `10.1.${i >> 8}.${i & 255}`, epoch: 1n, removed: false, yielding: false }),
  );
  const parts = splitEntries("n2", all);
  other.version = 9n;
  const answer = () =>
    parts.map((entries, part) => other.say("full", encodeFull({ version: 9n, part, parts: parts.length, entries })));
  const it = owner();
  const known = () => it.view().neighbours[0]?.claims;
  it.hear(other.hello(), 1000);
  for (const [i, frame] of answer().entries()) if (i % 3 !== 0) it.hear(frame, 1001);
  expect([known(), it.view().neighbours[0]?.claimsMissing]).toEqual([0, true]);
  for (const [i, frame] of answer().entries()) if (i % 3 === 0) it.hear(frame, 1002);
  expect([known(), it.view().neighbours[0]?.claimsMissing]).toEqual([10_000, false]);
});

test("a full that lacks what was claimed before ends those claims", () => {
  const it = owner();
  const other = new Other();
  it.hear(other.hello(), 1000);
  it.hear(other.claims({ ip: "192.0.2.11", epoch: 1n, removed: false, yielding: false }), 1001);
  other.version = 5n;
  it.hear(other.hello(), 1002);
  it.hear(other.say("full", encodeFull({ version: 5n, part: 0, parts: 1, entries: [] })), 1003);
  expect(it.view().neighbours).toMatchObject([{ claims: 0, claimsMissing: false }]);
});

test("with 10 000 IPs, a tick with nothing to do looks at none of them", { timeout: 30_000 }, () => {
  const ips = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`10.1.${i >> 8}.${i & 255}`, ["n1", "n2"]]));
  const it = segment();
  let looks = 0;
  const real = snapshot(ips);
  const counted = new Map(real.ips);
  counted.get = (ip) => {
    looks++;
    return real.ips.get(ip);
  };
  it.setSnapshot({ ...real, ips: counted }, 0);
  run(it, 15_000);
  expect(looks).toBeGreaterThanOrEqual(10_000);
  looks = 0;
  const all = run(it, 16_000);
  expect(looks).toBe(0);
  expect(all.flatMap(kinds)).toEqual(Array(10).fill("hello"));
});
