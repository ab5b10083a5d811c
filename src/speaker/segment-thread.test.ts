import { Worker } from "node:worker_threads";
import { afterEach, expect, test, vi } from "vitest";
import { type Heard, SegmentThread } from "./segment-thread.ts";

const CONFIG = { node: "n1", key: new Uint8Array(32), helloIntervalMs: 100 };
const input = (name: string) => ({
  interface: name,
  address: "192.0.2.1",
  address6: "",
  gateways: [],
  recordedMac: undefined,
  snapshot: { versions: new Map<string, string>(), ips: new Map(), records: [] },
});

afterEach(() => {
  vi.restoreAllMocks();
});

test("a thread that fails ends the speaker, and says why", async () => {
  const thread = new SegmentThread(CONFIG, () => {});
  const post = Worker.prototype.postMessage;
  vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker) {
    post.call(this, { what: "update" }); // no list: the thread throws
  });
  thread.update([], true);
  await expect(thread.failed).rejects.toMatchObject({ code: "SegmentThreadFailed" });
  await thread.leave("Restart"); // ends all the same
});

test("a thread that ends by itself without an error is a failure too", async () => {
  const thread = new SegmentThread(CONFIG, () => {});
  vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker) {
    void this.terminate();
  });
  thread.update([], true);
  await expect(thread.failed).rejects.toMatchObject({ code: "SegmentThreadFailed" });
});

test("nothing is told twice; a leave with nothing to hand over ends at once", async () => {
  let stateCame = () => {};
  const state = new Promise<void>((resolve) => {
    stateCame = resolve;
  });
  const thread = new SegmentThread(CONFIG, ({ what }: Heard) => {
    if (what === "state") stateCame();
  });
  await state;
  const posted = vi.spyOn(Worker.prototype, "postMessage");
  thread.update([input("none0")], false);
  thread.update([structuredClone(input("none0"))], false);
  expect(posted).toHaveBeenCalledTimes(1);
  thread.update([input("none0")], true);
  expect(posted).toHaveBeenCalledTimes(2);
  thread.update([], false);
  expect(posted).toHaveBeenCalledTimes(3);
  await thread.leave("Restart");
});
