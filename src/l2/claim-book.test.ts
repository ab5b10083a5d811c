import fc from "fast-check";
import { expect, test } from "vitest";
import { ClaimBook, type ClaimView } from "./claim-book.ts";

const ip = fc.nat(5).map((n) => `192.0.2.${n}`);
const step = fc.oneof(
  fc.record({ do: fc.constant("set" as const), ip, epoch: fc.bigInt(0n, 3n), yielding: fc.boolean() }),
  fc.record({ do: fc.constant("remove" as const), ip }),
  fc.record({ do: fc.constant("tell" as const) }),
);

test("whoever takes the news, whenever, knows all claims", () =>
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const book = new ClaimBook("n1", 1_000);
      const told = new Map<string, ClaimView>();
      const take = () => {
        const { set, removed } = book.takeNews();
        for (const claim of set) told.set(claim.ip, claim);
        for (const ip of removed) told.delete(ip);
        expect(told).toEqual(new Map(book.view().map((claim) => [claim.ip, claim])));
      };
      for (const step of steps) {
        if (step.do === "set") book.set(step.ip, { epoch: step.epoch, yielding: step.yielding });
        else if (step.do === "remove") book.remove(step.ip, 0, 0);
        else take();
      }
      take();
      expect(book.takeNews()).toEqual({ set: [], removed: [] });
    }),
  ));
