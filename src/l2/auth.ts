import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";

/** Bytes of a frame's tag: HMAC-SHA256 cut to 128 bits (RFC 2104 section 5 allows half the hash and more). */
export const TAG_LENGTH = 16;

/** Bytes of a cluster id. */
export const CLUSTER_ID_LENGTH = 8;

/** Prepares a key for use: with raw bytes each frame would cost six times as much. */
export function signingKey(bytes: Uint8Array): KeyObject {
  return createSecretKey(bytes);
}

/** Derives the id by which speakers of one key know each other without giving the key away. */
export function clusterId(key: KeyObject): Uint8Array {
  return hmac(key, new TextEncoder().encode("herald cluster id v1")).subarray(0, CLUSTER_ID_LENGTH);
}

/** Signs a message. */
export function tag(key: KeyObject, message: Uint8Array): Uint8Array {
  return hmac(key, message).subarray(0, TAG_LENGTH);
}

/** Checks a message's tag, in a time that tells nothing about the right one. */
export function isSigned(key: KeyObject, message: Uint8Array, claimed: Uint8Array): boolean {
  return claimed.length === TAG_LENGTH && timingSafeEqual(tag(key, message), claimed);
}

function hmac(key: KeyObject, message: Uint8Array): Uint8Array {
  return createHmac("sha256", key).update(message).digest();
}
