import { expect, test } from "vitest";
import { Hearing, type Surroundings } from "./hearing.ts";
import { timing } from "./timing.ts";

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
const GATEWAY = "192.0.2.254";
const OWN = { ipv4: "192.0.2.1", ipv6: "" };
const silent: Surroundings = { heard: 2, expecting: true, late: true, company: true };

function hearing(gateways: string[] = [GATEWAY]): Hearing {
  const it = new Hearing(MAC, timing({ helloIntervalMs: 100 }), 0);
  it.setGateways(gateways);
  it.review({ heard: 2, expecting: true, late: false, company: true }, 0);
  return it;
}

test("while a neighbour is silent and nothing else is heard, the gateway is asked each 50 ms from 130 on", () => {
  const it = hearing();
  const times: number[] = [];
  for (let at = 0; at <= 300; at += 10) if (it.questions(silent, OWN, at).length > 0) times.push(at);
  expect(times).toEqual([130, 180, 230, 280]);
});

test("its answer is proof enough; without one this node is unsure from 200, and isolated from 330 on", () => {
  const it = hearing();
  expect(it.review(silent, 199)).toBe("Sure");
  expect(it.review(silent, 200)).toBe("Unsure");
  expect(it.review(silent, 329)).toBe("Unsure");
  expect(it.review(silent, 330)).toBe("Isolated");
  it.heard(400);
  expect(it.isolated, "until the next review").toBe(true);
  expect(it.review(silent, 400), "until all had time to be heard").toBe("Isolated");
  expect(it.isolated).toBe(false);
  it.heard(729);
  expect(it.review(silent, 729)).toBe("Isolated");
  expect(it.review(silent, 730)).toBe("Sure");
});

test("where nobody can be asked, two silent neighbours are a fault of one's own, one is not", () => {
  expect(hearing([]).review(silent, 400)).toBe("Isolated");
  const alone = new Hearing(MAC, timing({ helloIntervalMs: 100 }), 0);
  alone.review({ heard: 1, expecting: true, late: false, company: true }, 0);
  expect(alone.review({ ...silent, heard: 1 }, 400)).toBe("Sure");
});

test("a node without company is never isolated, and asks nobody", () => {
  const it = hearing();
  const nobody = { heard: 0, expecting: true, late: true, company: false };
  expect(it.review(nobody, 10_000)).toBe("Sure");
  expect(it.questions(nobody, OWN, 10_000)).toEqual([]);
  expect(it.nextMs(nobody, 10_000)).toBe(Number.POSITIVE_INFINITY);
});

test("a node that has been left alone asks once a second", () => {
  const it = hearing();
  const lonely = { heard: 0, expecting: false, late: true, company: true };
  let asked = 0;
  for (let at = 1000; at < 11_000; at += 50) {
    if (it.questions(lonely, OWN, at).length > 0) asked++;
    it.heard(at);
    it.review(lonely, at);
  }
  expect(asked).toBeLessThanOrEqual(10);
  expect(it.review(lonely, 13_100)).toBe("Sure");
  expect(it.review(lonely, 14_300)).toBe("Isolated");
});

test("hosts that spoke lately are asked too, the latest ones, and not too many", () => {
  const it = hearing();
  for (let i = 1; i <= 20; i++) it.located(`192.0.2.${100 + i}`, Uint8Array.of(2, 0, 0, 0, 3, i), i * 20_000);
  expect(it.witnesses()).toHaveLength(9);
  expect(it.witnesses()).toContain("192.0.2.120");
  const before = it.version;
  it.located("192.0.2.120", MAC, 400_001);
  for (let i = 1; i <= 20; i++) it.located(`192.0.2.${150 + i}`, MAC, 400_002);
  expect(it.version - before, "a crowd does not change who is asked").toBeLessThanOrEqual(8);
});
