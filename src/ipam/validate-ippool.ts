import { IPPoolSpecSchema } from "../api/ippool.ts";
import { type Problem, validateSpec } from "../api/validate-spec.ts";
import { checkPool } from "./check-pool.ts";

/**
 * Finds what is wrong with the spec of an IPPool, as it stands in a manifest, without asking an API server. Empty where
 * it is good. What the API server refuses is refused here too, and so is what only the controller finds.
 */
export function validateIPPool(spec: unknown): readonly Problem[] {
  return validateSpec({ kind: "an IPPool", schema: IPPoolSpecSchema, check: checkPool }, spec);
}
