import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clusterId, signingKey, tag } from "./auth.ts";
import { decodeFrame, encodeFrame, type Frame } from "./frame.ts";

const key = signingKey(new TextEncoder().encode("0123456789abcdef0123456789abcdef"));
const cluster = clusterId(key);
const mac = bytes("02005e000001");
const identity = { node: "n1", cluster, key, mac };

function bytes(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/\s/g, ""), "hex"));
}

function hexOf(array: Uint8Array): string {
  return Buffer.from(array).toString("hex");
}

const ETHERNET = "034845524c44 02005e000001 88b5";
const HEADER = "484c 01 04 0026 02 00 e2819d3f30a0d16f 0000000000000007 0000000000000009 6e31";
const BODY = "317eb7f7";

/** Signs a message as a holder of the key would, whatever it says. */
function signed(message: string, more = ""): Uint8Array {
  return bytes(`${ETHERNET} ${message} ${hexOf(tag(key, bytes(message)))} ${more}`);
}

const request: Omit<Frame, "node"> = { type: "request", incarnation: 7n, sequence: 9n, body: bytes(BODY) };

test("a request, byte for byte: docs/wire.md has it", () => {
  const frame = encodeFrame(identity, request);
  expect(hexOf(frame)).toBe(hexOf(signed(`${HEADER} ${BODY}`)));
  expect(hexOf(frame.slice(-16))).toBe("bbf5a99999c450817bd9c19dde90b27b");
  expect(decodeFrame(frame, cluster, key)).toEqual({ ...request, node: "n1" });
});

test("padding after the tag does not matter", () => {
  const padded = signed(`${HEADER} ${BODY}`, "00".repeat(8));
  expect(decodeFrame(padded, cluster, key)).toMatchObject({ node: "n1", sequence: 9n });
});

describe("a frame is dropped", () => {
  test.each([
    { name: "empty", frame: bytes(""), want: "Short" },
    { name: "shorter than an Ethernet header", frame: bytes("034845524c44 02005e000001 88"), want: "Short" },
    {
      name: "of another protocol",
      frame: bytes(`034845524c44 02005e000001 0806 ${HEADER} ${BODY}`),
      want: "ForeignProtocol",
    },
    { name: "cut off in its header", frame: bytes(`${ETHERNET} 484c 01 04 0026`), want: "Short" },
    {
      name: "of another user of the EtherType",
      frame: signed(`5555 01 04 0026 02 00 ${"00".repeat(40)}`),
      want: "ForeignProtocol",
    },
    { name: "of a later version", frame: signed(HEADER.replace("484c 01", "484c 02") + BODY), want: "ForeignVersion" },
    { name: "of another cluster", frame: signed(HEADER.replace("e281", "e282") + BODY), want: "ForeignCluster" },
    { name: "that says to be longer than it is", frame: signed(HEADER.replace("0026", "0126") + BODY), want: "Short" },
    { name: "with a tag cut off", frame: signed(`${HEADER} ${BODY}`).slice(0, -1), want: "Short" },
    { name: "with another tag", frame: bytes(`${ETHERNET} ${HEADER} ${BODY} ${"00".repeat(16)}`), want: "BadTag" },
    {
      name: "with a length that cuts its name",
      frame: signed("484c 01 04 0021 02 00 e2819d3f30a0d16f 0000000000000007 0000000000000009 6e"),
      want: "Malformed",
    },
    { name: "of an unknown type", frame: signed(HEADER.replace("01 04", "01 05") + BODY), want: "Malformed" },
    { name: "of type 0", frame: signed(HEADER.replace("01 04", "01 00") + BODY), want: "Malformed" },
    { name: "from a node whose name is none", frame: signed(HEADER.replace("6e31", "2f31") + BODY), want: "Malformed" },
    {
      name: "from a node without a name",
      frame: signed(HEADER.replace("0026 02", "0024 00").replace(" 6e31", "") + BODY),
      want: "Malformed",
    },
    { name: "too long", frame: new Uint8Array(1515), want: "Oversize" },
  ])("$name", ({ frame, want }) => expect(decodeFrame(frame, cluster, key)).toBe(want));

  test("with any byte changed, but those of the MACs", () => {
    const frame = encodeFrame(identity, request);
    for (let i = 12; i < frame.length; i++) {
      const forged = frame.slice();
      forged[i] = (forged[i] ?? 0) ^ 0x40;
      expect(typeof decodeFrame(forged, cluster, key), `byte ${i}`).toBe("string");
    }
  });

  test("with another key", () => {
    const other = signingKey(new Uint8Array(32));
    expect(decodeFrame(encodeFrame({ ...identity, key: other }, request), cluster, key)).toBe("BadTag");
    expect(decodeFrame(encodeFrame(identity, request), clusterId(other), other)).toBe("ForeignCluster");
  });
});

test("random and truncated bytes never throw", () => {
  const frame = encodeFrame(identity, request);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1600 }), (noise) => void decodeFrame(noise, cluster, key)));
  fc.assert(
    fc.property(fc.nat(frame.length), fc.uint8Array({ maxLength: 60 }), (length, noise) => {
      decodeFrame(Uint8Array.of(...frame.slice(0, length), ...noise), cluster, key);
      decodeFrame(Uint8Array.of(...frame.slice(0, 14), ...noise), cluster, key);
    }),
  );
});

test("every frame comes back as it was sent", () => {
  const frames = fc.record({
    type: fc.constantFrom("hello", "claims", "full", "request"),
    incarnation: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    sequence: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    body: fc.uint8Array({ maxLength: 1199 }),
  } as const);
  fc.assert(
    fc.property(frames, fc.constantFrom("n", "a.b-c", "x".repeat(253)), (frame, node) => {
      expect(decodeFrame(encodeFrame({ ...identity, node }, frame), cluster, key)).toEqual({ ...frame, node });
    }),
  );
});
