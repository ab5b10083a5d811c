import { expect, test } from "vitest";
import { doubleAnswers, type Reply } from "./capture.ts";

const answer = (round: number, mac: string): Reply => ({
  at: 1000 + round * 10,
  kind: "arp",
  op: "reply",
  mac,
  ip: "192.0.2.200",
  targetMac: "02:48:ff:ff:ff:fe",
  targetIp: "192.0.2.250",
  round,
});

test.each([
  { name: "nobody", answers: [], want: [] },
  { name: "one MAC after the other", answers: [answer(0, "a"), answer(1, "a"), answer(2, "b")], want: [] },
  { name: "one MAC twice in a round", answers: [answer(0, "a"), answer(0, "a")], want: [] },
  {
    name: "two MACs in two rounds in a row",
    answers: [answer(3, "a"), answer(3, "b"), answer(4, "b"), answer(4, "a"), answer(5, "b")],
    want: [{ ip: "192.0.2.200", macs: ["a", "b"], from: 1030, ms: 20 }],
  },
  {
    name: "two stretches, the longer one first",
    answers: [1, 3, 4].flatMap((round) => [answer(round, "a"), answer(round, "b")]),
    want: [
      { ip: "192.0.2.200", macs: ["a", "b"], from: 1030, ms: 20 },
      { ip: "192.0.2.200", macs: ["a", "b"], from: 1010, ms: 10 },
    ],
  },
])("doubleAnswers: $name", ({ answers, want }) => expect(doubleAnswers(answers, 10)).toEqual(want));
