import { readFileSync } from "node:fs";
import { HeraldError } from "./errors.ts";

/** Bytes below which a key could be guessed. */
const SHORTEST = 16;

/** Reads the key that signs hellos: all of the file but white space around it. Throws BadHelloKey. */
export function readHelloKey(file: string): Uint8Array {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (cause) {
    const remedy = "create the Secret herald-hello-key, or pass --hello-key-file";
    throw new HeraldError("BadHelloKey", `read the hello key from ${file}: ${(cause as Error).message}; ${remedy}`);
  }
  const key = Buffer.from(text, "utf8");
  if (key.length < SHORTEST)
    throw new HeraldError(
      "BadHelloKey",
      `read the hello key from ${file}: it has ${key.length} bytes, at least ${SHORTEST} are needed; make one with "openssl rand -hex 32"`,
    );
  return key;
}
