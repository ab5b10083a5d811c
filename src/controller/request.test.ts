import fc from "fast-check";
import { expect, test } from "vitest";
import { formatIP } from "../ipam/addresses.ts";
import type { Request } from "../ipam/demand.ts";
import { services } from "../kube/resource.ts";
import { requestOf } from "./request.ts";

interface Written {
  readonly pool?: string;
  readonly ips?: string;
  readonly loadBalancerIP?: string;
}

function request({ pool, ips, loadBalancerIP }: Written): Request | undefined {
  const annotations = { "heraldlb.io/pool": pool, "heraldlb.io/ips": ips };
  return requestOf(services.keep({ metadata: { annotations }, spec: { type: "LoadBalancer", loadBalancerIP } }));
}

/** As text: "pool: addresses", or the problem's reason and text. */
function read(written: Written): string | undefined {
  const asked = request(written);
  if (asked === undefined) return undefined;
  if ("problem" in asked) return `${asked.problem.reason}: ${asked.problem.text}`;
  return `${asked.pool ?? ""}: ${asked.ips.map(formatIP).join()}`;
}

test.each<{ name: string; written: Written; want: string | undefined }>([
  { name: "nothing", written: {}, want: undefined },
  { name: "empty annotations", written: { pool: "", ips: "", loadBalancerIP: "" }, want: undefined },
  { name: "blank annotations", written: { pool: " ", ips: "\t ", loadBalancerIP: " " }, want: undefined },
  { name: "a pool", written: { pool: " web " }, want: "web: " },
  { name: "an address", written: { ips: "192.0.2.1" }, want: ": 192.0.2.1" },
  { name: "IPv6 first", written: { ips: " 2001:DB8::0:1 , 192.0.2.1 " }, want: ": 192.0.2.1,2001:db8::1" },
  { name: "the old field", written: { loadBalancerIP: " 192.0.2.1 " }, want: ": 192.0.2.1" },
  { name: "a pool and an address", written: { pool: "web", ips: "192.0.2.1" }, want: "web: 192.0.2.1" },
  {
    name: "a pool and the old field",
    written: { pool: "web", loadBalancerIP: "2001:db8::1" },
    want: "web: 2001:db8::1",
  },
  {
    name: "the same both ways",
    written: { ips: "2001:db8::1", loadBalancerIP: "2001:db8:0::1" },
    want: ": 2001:db8::1",
  },
  {
    name: "two, and one of them in the old field",
    written: { ips: "192.0.2.1,2001:db8::1", loadBalancerIP: "192.0.2.1" },
    want: ": 192.0.2.1,2001:db8::1",
  },
  {
    name: "different ones both ways",
    written: { ips: "192.0.2.1", loadBalancerIP: "192.0.2.2" },
    want: "ConflictingRequests: heraldlb.io/ips asks for 192.0.2.1, and spec.loadBalancerIP for 192.0.2.2; remove one of the two",
  },
  {
    name: "different families both ways",
    written: { ips: "192.0.2.1", loadBalancerIP: "2001:db8::1" },
    want: "ConflictingRequests: heraldlb.io/ips asks for 192.0.2.1, and spec.loadBalancerIP for 2001:db8::1; remove one of the two",
  },
  {
    name: "two of one family",
    written: { ips: "192.0.2.1,192.0.2.2" },
    want: "InvalidRequest: heraldlb.io/ips has two IPv4 addresses, 192.0.2.1 and 192.0.2.2; write at most one of each family",
  },
  {
    name: "one twice",
    written: { ips: "2001:db8::1,2001:db8:0:0::1" },
    want: "InvalidRequest: heraldlb.io/ips has 2001:db8::1 twice; write it once",
  },
  {
    name: "a name in the old field",
    written: { loadBalancerIP: "www.example.com" },
    want: 'InvalidRequest: spec.loadBalancerIP has "www.example.com", which is not an IPv4 or IPv6 address; write one like "192.0.2.10" or "2001:db8::10"',
  },
  {
    name: "two in the old field",
    written: { loadBalancerIP: "192.0.2.1,2001:db8::1" },
    want: 'InvalidRequest: spec.loadBalancerIP has "192.0.2.1,2001:db8::1", which is not an IPv4 or IPv6 address; write one like "192.0.2.10" or "2001:db8::10"',
  },
])("$name is read as $want", ({ written, want }) => expect(read(written)).toBe(want));

const EXAMPLE = 'write one like "192.0.2.10" or "2001:db8::10"';

/** What the message says of single entries that are no addresses; entries without blanks stand between blanks. */
const MALFORMED: readonly { readonly says: string; readonly words?: string; readonly texts?: readonly string[] }[] = [
  {
    says: `is a block of addresses; ${EXAMPLE}`,
    words: `192.0.2.0/24 192.0.2.1/32 0.0.0.0/0 192.0.2.1/24 192.0.2.1/33 192.0.2.1/999 2001:db8::/64 2001:db8::1/128
      ::/0 fe80::1/10 2001:db8::1/129`,
  },
  {
    says: `is a range of addresses; ${EXAMPLE}`,
    words: "192.0.2.1-192.0.2.9 192.0.2.9-192.0.2.1 2001:db8::1-2001:db8::9 ::-::1",
    texts: ["192.0.2.1 - 192.0.2.9"],
  },
  { says: "has leading zeros; write 192.0.2.1 instead", words: "192.0.2.01 192.0.02.1 192.0.002.001 0192.0.2.1" },
  { says: "has leading zeros; write 10.0.0.1 instead", words: "010.0.0.1 10.0.0.01 10.0.00.1 0010.00.00.0001" },
  {
    says: "is an IPv4-mapped IPv6 address; write 192.0.2.1 instead",
    words: "::ffff:192.0.2.1 ::FFFF:192.0.2.1 ::ffff:c000:201 0:0:0:0:0:ffff:c000:0201 0::ffff:192.0.2.1",
  },
  {
    says: "has a zone id; write fe80::1 without it",
    words: "fe80::1%eth0 fe80::1%1 fe80::1% fe80::1%25eth0 fe80::1%a%b",
  },
  { says: "has a zone id; write 192.0.2.1 without it", words: "192.0.2.1%eth0" },
  {
    says: `is not an address; ${EXAMPLE}`,
    words: "%eth0 % x%y 日本% fe80:::1%eth0 1.2.3%4 ::ffff:192.0.2.1%eth0",
    texts: [
      "1".repeat(81),
      `${"192.0.2.1 ".repeat(9)}x`,
      "x".repeat(250_000),
      "🐟".repeat(60_000),
      ":".repeat(200_000),
      `${"9".repeat(200_000)}%`,
      `x${"\n".repeat(99)}x`,
    ],
  },
  {
    says: `is not an IPv4 or IPv6 address; ${EXAMPLE}`,
    words: `x - . : / 0 1 -1 null undefined true * any NaN 1e3 0x7f000001 3221225985 192.0.2 192.0.2. .192.0.2.1
      192.0.2.1. 192..2.1 192.0.2.1.1 192.0.2.256 192.0.2.-1 192.0.2.1e0 192.0.2.0x1 192.0.2.1:80 192.0.2.1/
      192.0.2.1/x /24 1.2.3/24 010.0.0.0/8 ::ffff:192.0.2.1/128 1-2 192.0.2.1-256 192.0.2.1--192.0.2.2 0300.0.2.1
      300.0.2.01 +192.0.2.1 192.0.2.1; ::: 1::2::3 2001:db8 2001:db8::g 2001:db8::12345 1:2:3:4:5:6:7 ::1:: :1 1:
      1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7:8:: 2001:db8::1.2.3 2001:db8::1.2.3.256 [2001:db8::1] [2001:db8::1]:80
      2001:db8:::1 2001:db8::1: ::1.2.3.4:1 1.2.3.4:: 2001-db8--1 2001:db8::-1 www.example.com localhost a_b
      192.0.2.1.example.com http://192.0.2.1 http://[::1]/ １９２.０.２.１ १९२.०.२.१ 192。0。2。1 ٣ 日本 🐟 \\ " ' \`
      <b> &lt; {} [] {"ip":"192.0.2.1"} ["192.0.2.1"] ips=192.0.2.1 ../../etc/passwd $(id) 1;DROP`,
    texts: [
      ...["192 .0.2.1", "192.0.2.1 x", "192.0.2.1 192.0.2.2", "192.0.2.1\u0000", "2001:db8::1\n::2", "\u202e1.2.0.291"],
      ...["1\u00a0\u200b92.0.2.1", "192.0.2.1\u200d", "e\u0301", "\ud800", "\udfff\ud800", "\u0000", "\u001b[31m"],
    ],
  },
];

const entries = MALFORMED.flatMap(({ says, words, texts = [] }) =>
  [...(words?.split(/\s+/) ?? []), ...texts].map((entry) => ({ entry, says, name: entry.slice(0, 40) })),
);

test.each(entries)("$name is no address, and the message says what is: $says", ({ entry, says }) => {
  const alone = request({ loadBalancerIP: entry });
  expect(alone).toMatchObject({ problem: { reason: "InvalidRequest", text: expect.stringContaining(says) } });
  if (entry.includes(",")) return;
  for (const ips of [entry, `${entry},192.0.2.7`, `192.0.2.7 , ${entry}`]) {
    const asked = request({ ips });
    expect(asked).toMatchObject({ problem: { reason: "InvalidRequest", text: expect.stringContaining(says) } });
    const { text = "" } = asked && "problem" in asked ? asked.problem : {};
    expect(text.length).toBeLessThan(600);
    expect(text).toMatch(/^heraldlb\.io\/ips has "/);
    expect(text).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
  }
});

test.each([
  ...[",", ",,", " , ", "192.0.2.1,", ",192.0.2.1", "192.0.2.1,,2001:db8::1", "192.0.2.1, ,2001:db8::1"],
  ...[",".repeat(250_000), `192.0.2.1${", ".repeat(1000)}`],
])("a comma too many in %j is named", (ips) => {
  expect(read({ ips })).toBe("InvalidRequest: heraldlb.io/ips has an empty entry; remove the comma that is too many");
});

test("a huge list is refused for its second address of a family", () => {
  const ips = Array.from({ length: 10_000 }, (_, at) => `10.0.${at >> 8}.${at & 255}`).join(", ");
  expect(read({ ips })).toBe(
    "InvalidRequest: heraldlb.io/ips has two IPv4 addresses, 10.0.0.0 and 10.0.0.1; write at most one of each family",
  );
});

test("whatever is written, reading does not throw, and what it says is short", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(",", " ", "192.0.2.1", "2001:db8::1", "::ffff:1.2.3.4", "/24", "%eth0", "-", "010.0.0.1"),
    fc.ipV4(),
    fc.ipV6(),
  );
  const text = fc.array(piece, { maxLength: 5 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(fc.record({ pool: text, ips: text, loadBalancerIP: text }, { requiredKeys: [] }), (written) => {
      const asked = request(written);
      if (asked && "problem" in asked) {
        expect(asked.problem.text.length).toBeLessThan(600);
        expect(asked.problem.text).toMatch(/; (write|remove) /);
      } else if (asked) {
        expect(new Set(asked.ips.map(({ family }) => family)).size).toBe(asked.ips.length);
        expect(asked.pool !== undefined || asked.ips.length > 0).toBe(true);
      }
    }),
  );
});
