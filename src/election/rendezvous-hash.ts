/**
 * Hashes that every speaker must compute alike: they decide who owns what, and name nodes in hello frames. So they are
 * part of the wire format (docs/wire.md has test vectors) and change only with its version. Not for security.
 */

const FNV_OFFSET = 0x811c_9dc5;
const FNV_PRIME = 0x0100_0193;

/** Spreads every input bit over the 32 output bits. */
function avalanche(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Folds the characters of an ASCII text into a state (FNV-1a). */
function fold(state: number, text: string): number {
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), FNV_PRIME);
  return state;
}

/**
 * Weighs a node for an IP: 32 bits, even over all pairs and unrelated between IPs, so that a node's death spreads its
 * own IPs over those left and moves no others. `ip` is in canonical text.
 */
export function rendezvousHash(node: string, ip: string): number {
  return avalanche(fold(nodeState(node), ip));
}

/** The state after a node's name; remembered, since few nodes are weighed for many IPs. */
function nodeState(node: string): number {
  let state = nodeStates.get(node);
  if (state === undefined) {
    state = Math.imul(fold(FNV_OFFSET, node) ^ 0xff, FNV_PRIME);
    if (nodeStates.size >= MOST_STATES) nodeStates.clear();
    nodeStates.set(node, state);
  }
  return state;
}

const nodeStates = new Map<string, number>();
const MOST_STATES = 10_000;

/** Names a node in 32 bits, never 0. Where two nodes collide, more is sent than needed, and nothing breaks. */
export function nodeHash(node: string): number {
  return avalanche(fold(FNV_OFFSET, node)) || 1;
}
