import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeClaims } from "../api/claims.ts";
import { MAX_EPOCH } from "../election/epoch.ts";
import { type RecordedEpochs, readEpochs } from "./recorded-epochs.ts";

const claim = fc.record({
  ip: fc.nat(20).map((n) => `192.0.2.${n}`),
  interface: fc.constantFrom("eth0", "eth0", "eth0", "eth1"),
  epoch: fc.bigInt(0n, 3n),
});
const record = fc
  .uniqueArray(claim, { selector: ({ ip, interface: name }) => `${ip} ${name}` })
  .map((claims) => encodeClaims(claims));

test("read one after another records give what each gives when it is read alone", () =>
  fc.assert(
    fc.property(fc.array(record), (records) => {
      let known: RecordedEpochs | undefined;
      for (const one of records) {
        known = readEpochs(known, one);
        expect(new Map(known.epochs)).toEqual(new Map(readEpochs(undefined, one).epochs));
      }
    }),
  ));

test("an epoch that no claims lead to counts as 0", () => {
  const { epochs } = readEpochs(undefined, [
    { interface: "eth0", ips: [`192.0.2.1=${MAX_EPOCH + 1n}`, "192.0.2.2=4"] },
  ]);
  expect(new Map(epochs)).toEqual(
    new Map([
      ["192.0.2.1", 0n],
      ["192.0.2.2", 4n],
    ]),
  );
});
