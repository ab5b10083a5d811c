import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { FakeGobgpd } from "../../test/unit/fake-gobgpd.ts";
import { lazyDaemon } from "./lazy-daemon.ts";

test("it is opened when it is first asked, once", async () => {
  let opened = 0;
  const gobgpd = new FakeGobgpd();
  const lazy = lazyDaemon(async () => {
    opened++;
    return gobgpd;
  });
  expect(opened).toBe(0);
  await Promise.all([lazy.read(), lazy.sessions(), lazy.apply([])]);
  expect(opened).toBe(1);
});

test("whoever watches hears of changes and the end, and nothing once he stopped", async () => {
  const gobgpd = new FakeGobgpd();
  const lazy = lazyDaemon(async () => gobgpd);
  const heard: string[] = [];
  const on = { changed: () => heard.push("changed"), ended: () => heard.push("ended") };
  lazy.watch(on)(); // stopped before it is open
  const stop = lazy.watch(on);
  await setImmediate();
  gobgpd.show("192.0.2.1", {});
  expect(heard).toEqual(["changed"]);
  stop();
  expect(gobgpd.watched).toBe(0);
  lazy.watch(on);
  await setImmediate();
  gobgpd.kill();
  expect(heard).toEqual(["changed", "ended"]);
});

test("where it can't be opened, a watch ends and calls reject", async () => {
  const lazy = lazyDaemon(async () => {
    throw new Error("no proto");
  });
  await expect(lazy.read()).rejects.toThrow("no proto");
  const ended = new Promise<void>((resolve) => lazy.watch({ changed: () => {}, ended: resolve }));
  await ended;
});
