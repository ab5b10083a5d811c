/** Readers of JSON that nobody has checked: each gives a value of its type whatever comes in, and none throws. */

/** Tells whether `raw` is a JSON object. */
export function isRecord(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return typeof raw === "object" && raw !== null && !Array.isArray(raw);
}

/** Gives a JSON object; {} for anything else. */
export function record(raw: unknown): Readonly<Record<string, unknown>> {
  return isRecord(raw) ? raw : {};
}

/** Gives an array; [] for anything else. */
export function list(raw: unknown): readonly unknown[] {
  return Array.isArray(raw) ? raw : [];
}

/** Gives a string; "" for anything else. */
export function text(raw: unknown): string {
  return typeof raw === "string" ? raw : "";
}

/** Gives a string that is not empty; undefined for anything else. */
export function optionalText(raw: unknown): string | undefined {
  return typeof raw === "string" && raw !== "" ? raw : undefined;
}

/** Gives a safe integer; 0 for anything else. */
export function integer(raw: unknown): number {
  return Number.isSafeInteger(raw) ? (raw as number) : 0;
}

/** Gives the strings of an array, in their order. */
export function texts(raw: unknown): readonly string[] {
  return list(raw).filter((item) => typeof item === "string");
}

const NONE: Readonly<Record<string, string>> = Object.freeze({});

/** Gives the string values of a JSON object whose keys `wanted` takes. */
export function textMap(raw: unknown, wanted: (key: string) => boolean = () => true): Readonly<Record<string, string>> {
  let texts: Record<string, string> | undefined;
  const object = record(raw);
  for (const key of Object.keys(object)) {
    const value = object[key];
    if (typeof value !== "string" || !wanted(key)) continue;
    texts ??= {};
    texts[key] = value;
  }
  return texts ?? NONE;
}
