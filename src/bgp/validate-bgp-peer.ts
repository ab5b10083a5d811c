import { BGPPeerSpecSchema } from "../api/bgp-peer.ts";
import { type Problem, validateSpec } from "../api/validate-spec.ts";
import { checkBGPPeer } from "./check-bgp-peer.ts";

/**
 * Finds what is wrong with the spec of a BGPPeer, as it stands in a manifest, without asking an API server: the same
 * that the API server refuses. Empty where it is good.
 */
export function validateBGPPeer(spec: unknown): readonly Problem[] {
  return validateSpec({ kind: "a BGPPeer", schema: BGPPeerSpecSchema, check: checkBGPPeer }, spec);
}
