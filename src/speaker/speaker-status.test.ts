import { expect, test } from "vitest";
import type { Meta } from "../api/objects.ts";
import type { Speaker, SpeakerStatus } from "../api/speaker.ts";
import type { Clock } from "../clock.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeClient, KubeRequest } from "../kube/client.ts";
import { noLog } from "../log.ts";
import { SpeakerStatusWriter } from "./speaker-status.ts";

/** A clock moved by hand, and an API server that answers when told to. */
function world() {
  let now = 0;
  const timers: { at: number; run: () => void }[] = [];
  const clock: Clock = {
    now: () => now,
    wallNow: () => now,
    after: (delayMs, run) => {
      const timer = { at: now + delayMs, run };
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer), 1);
    },
  };
  const requests: KubeRequest[] = [];
  const results: string[] = [];
  let answer: (request: KubeRequest) => unknown = () => ({});
  const client = {
    request: async (request: KubeRequest) => {
      requests.push(request);
      return answer(request);
    },
  } as unknown as KubeClient;
  const stop = new AbortController();
  const spread = { speakers: 1 };
  const made = { count: 0 };
  const status = new SpeakerStatusWriter({
    client,
    node: "n1",
    clock,
    log: noLog,
    signal: stop.signal,
    random: () => 0.5,
    speakers: () => spread.speakers,
    nodeUid: () => "uid-1",
    wrote: (result) => results.push(result),
  });
  const writer = {
    set: (wanted: SpeakerStatus) =>
      status.set(() => {
        made.count++;
        return wanted;
      }),
    saw: (object: Speaker | undefined) => status.saw(object),
  };
  return {
    writer,
    made,
    requests,
    results,
    stop,
    spread,
    answers: (next: typeof answer) => {
      answer = next;
    },
    /** Moves the clock, runs what is due, and lets what that began come to rest. */
    advance: async (ms: number) => {
      now += ms;
      for (const timer of timers.filter(({ at }) => at <= now)) {
        timers.splice(timers.indexOf(timer), 1);
        timer.run();
      }
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
const status = (version: string) => ({ version });

test("the first change is written at once, further ones once a second, the same one never", async () => {
  const { writer, requests, advance } = world();
  writer.set(status("1"));
  await advance(0);
  expect(requests).toMatchObject([{ method: "PATCH", path: "/apis/heraldlb.io/v1alpha1/speakers/n1/status" }]);
  for (const version of ["2", "3", "4"]) writer.set(status(version));
  await advance(999);
  expect(requests).toHaveLength(1);
  await advance(1);
  expect(requests).toHaveLength(2);
  expect(requests[1]?.body).toEqual({ status: { version: "4", bgp: null } });
  writer.set(status("4"));
  await advance(60_000);
  expect(requests).toHaveLength(2);
});

test("an object that is not there is made, owned by its Node", async () => {
  const { writer, requests, results, answers, advance } = world();
  let made = false;
  answers(({ method }) => {
    if (method === "POST") made = true;
    if (!made) throw new ApiError("PATCH", 404, {});
    return {};
  });
  writer.set(status("1"));
  await advance(0);
  expect(requests.map(({ method }) => method)).toEqual(["PATCH", "POST", "PATCH"]);
  expect(requests[1]?.body).toMatchObject({
    kind: "Speaker",
    metadata: { name: "n1", ownerReferences: [{ kind: "Node", name: "n1", uid: "uid-1" }] },
  });
  expect(results).toEqual(["ok"]);
});

test("a failed write is tried again, later each time, with what is newest by then", async () => {
  const { writer, requests, results, answers, advance } = world();
  answers(() => {
    throw new Error("no answer");
  });
  writer.set(status("1"));
  await advance(0);
  writer.set(status("2"));
  await advance(999);
  expect(requests).toHaveLength(1);
  await advance(1);
  expect(requests).toHaveLength(2);
  await advance(1_999);
  expect(requests).toHaveLength(2);
  answers(() => ({}));
  await advance(1);
  expect(requests.at(-1)?.body).toEqual({ status: { version: "2", bgp: null } });
  expect(results).toEqual(["failed", "failed", "ok"]);
  await advance(60_000);
  expect(requests).toHaveLength(3);
});

test("what a node had of BGP, and has no more, is taken out of the object", async () => {
  const { writer, requests, advance } = world();
  const bgp = { gobgpd: "Running", asn: 65000, sessions: "0/0", routes: 0 } as const;
  writer.set({ version: "1", bgp: { ...bgp, withdrawn: "Evacuated", peers: [] } });
  await advance(0);
  writer.set({ version: "1", bgp: { ...bgp, peers: [] } });
  await advance(10_000);
  writer.set({ version: "1" });
  await advance(10_000);
  expect(requests.map(({ body }) => (body as { status: { bgp: unknown } }).status.bgp)).toEqual([
    { ...bgp, peers: [], routerID: null, withdrawn: "Evacuated" },
    { ...bgp, peers: [], routerID: null, withdrawn: null },
    null,
  ]);
});

test("an object that somebody deleted is made again, though nothing changed", async () => {
  const { writer, requests, advance, answers } = world();
  let deleteIt = () => {};
  answers(() => deleteIt());
  writer.set(status("1"));
  await advance(0);
  await advance(60_000);
  writer.saw(undefined);
  await advance(0);
  expect(requests).toHaveLength(2);
  deleteIt = () => writer.saw(undefined); // while it is being written
  writer.set(status("2"));
  await advance(1_000);
  deleteIt = () => {};
  await advance(1_000);
  expect(requests.map(({ body }) => body)).toEqual(
    ["1", "1", "2", "2"].map((version) => ({ status: { version, bgp: null } })),
  );
  await advance(60_000);
  expect(requests).toHaveLength(4);
});

const seen = (resourceVersion: string, version: string) => ({
  meta: { name: "n1", resourceVersion } as Meta,
  status: { version },
});

test("what only people read is written less often, and at once with what others go by", async () => {
  const { writer, requests, advance } = world();
  const shown = (owned: number, ip: string) => ({
    version: "1",
    layer2: { claims: [{ interface: "eth0", ips: [ip] }], owned },
  });
  writer.set(shown(1, "192.0.2.1=1"));
  await advance(0);
  writer.set(shown(2, "192.0.2.1=1"));
  await advance(1_000);
  await advance(3_999);
  expect(requests).toHaveLength(1);
  await advance(1);
  expect(requests).toHaveLength(2);
  writer.set(shown(3, "192.0.2.1=1"));
  await advance(900);
  writer.set(shown(3, "192.0.2.2=1"));
  await advance(100);
  expect(requests).toHaveLength(3);
  writer.set(shown(4, "192.0.2.2=1"));
  writer.set(shown(3, "192.0.2.2=1"));
  await advance(60_000);
  expect(requests).toHaveLength(3);
});

test("of many speakers not all write at once what only people read", async () => {
  const { writer, requests, advance, spread } = world();
  spread.speakers = 1_000;
  writer.set({ version: "1" });
  await advance(0);
  expect(requests).toHaveLength(1);
  await advance(60_000);
  writer.set({ version: "1", conditions: [] });
  await advance(0);
  await advance(9_999);
  writer.set({ version: "1", conditions: [] });
  await advance(0);
  expect(requests).toHaveLength(1);
  await advance(1);
  expect(requests).toHaveLength(2);
});

test("a status is made when one is due, not at each change", async () => {
  const { writer, made, requests, advance } = world();
  for (let n = 0; n < 100; n++) writer.set(status(String(n)));
  await advance(0);
  for (let n = 100; n < 200; n++) writer.set(status(String(n)));
  await advance(1_000);
  await advance(60_000);
  expect(made.count).toBe(2);
  expect(requests).toHaveLength(2);
});

test("a change that others go by does not wait for one that only people read", async () => {
  const { writer, requests, advance } = world();
  writer.set({ version: "1", conditions: [] });
  await advance(0);
  await advance(60_000);
  const condition = { type: "Isolated", status: "True", reason: "X", message: "", lastTransitionTime: "" } as const;
  writer.set({ version: "1", conditions: [condition] });
  await advance(0); // it is put off
  expect(requests).toHaveLength(1);
  writer.set({ version: "2", conditions: [condition] });
  await advance(0);
  expect(requests).toHaveLength(2);
  await advance(60_000);
  expect(requests).toHaveLength(2);
});

test("what somebody else wrote into the status is put right; the own write, seen late or early, is not somebody else's", async () => {
  const { writer, requests, answers, advance } = world();
  let version = 10;
  answers(() => ({ metadata: { name: "n1", resourceVersion: String(++version) }, status: { version: "1" } }));
  writer.saw(seen("9", "0"));
  writer.set(status("1"));
  await advance(0);
  writer.saw(seen("11", "1"));
  await advance(60_000);
  expect(requests).toHaveLength(1);
  writer.saw(seen("10", "0"));
  writer.saw(seen("12", "1")); // a label, say
  await advance(60_000);
  expect(requests).toHaveLength(1);
  writer.saw(seen("13", "theirs"));
  version = 13;
  await advance(0);
  expect(requests).toHaveLength(2);
  writer.saw(seen("14", "1"));
  answers(() => {
    writer.saw(seen("15", "2")); // the own write, before the answer to it
    return { metadata: { name: "n1", resourceVersion: "15" }, status: { version: "2" } };
  });
  writer.set(status("2"));
  await advance(60_000);
  expect(requests).toHaveLength(3);
  let rival = true;
  answers(() => {
    if (rival) writer.saw(seen("17", "theirs")); // written over the own write, before the answer to that
    rival = false;
    return { metadata: { name: "n1", resourceVersion: "16" }, status: { version: "3" } };
  });
  writer.set(status("3"));
  await advance(60_000);
  await advance(1_000);
  expect(requests).toHaveLength(5);
});

test("what the API server does not take is not written again and again", async () => {
  const { writer, requests, answers, advance } = world();
  answers(() => ({ metadata: { name: "n1", resourceVersion: "5" }, status: {} })); // an older CRD knows no such field
  writer.set(status("1"));
  await advance(0);
  writer.saw({ meta: { name: "n1", resourceVersion: "5" } as Meta, status: {} });
  await advance(60_000);
  expect(requests).toHaveLength(1);
});

test("nothing is written after the end", async () => {
  const { writer, requests, stop, advance } = world();
  writer.set(status("1"));
  stop.abort();
  await advance(60_000);
  expect(requests).toEqual([]);
});
