import fc from "fast-check";
import { expect, test } from "vitest";
import { quote } from "./quote.ts";

test.each([
  { text: "plain", want: '"plain"' },
  { text: 'a "b" \\', want: '"a \\"b\\" \\\\"' },
  { text: "two\nlines\t", want: '"two\\u{a}lines\\u{9}"' },
  { text: "a\u202ecod.exe", want: '"a\\u{202e}cod.exe"' },
  { text: "\ud800", want: '"\\u{d800}"' },
  { text: "プール 🐟", want: '"プール 🐟"' },
  { text: "x".repeat(65), want: `"${"x".repeat(64)}..." (65 characters)` },
])("$text is quoted as $want", ({ text, want }) => expect(quote(text)).toBe(want));

test("whatever comes in, a quote is one short line without hidden characters", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      const quoted = quote(text);
      expect(quoted.length).toBeLessThanOrEqual(400);
      expect(quoted).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
    }),
  );
});
