import type { Service } from "../api/objects.ts";
import { Reflector } from "../kube/reflector.ts";
import { keyOf, type Resource, services } from "../kube/resource.ts";
import { Store } from "../kube/store.ts";
import type { ControllerDeps } from "./controller.ts";
import { forgetPatch } from "./service-patch.ts";

/** Services of other types that still have what Herald writes onto those that it serves. */
const left: Resource<Service> = {
  ...services,
  query: { fieldSelector: "spec.type!=LoadBalancer" },
  wanted: (service) => service.type !== "LoadBalancer" && forgetPatch(service) !== undefined,
};

/** Gives their keys. What fails is tried again until `signal` is aborted; it gives none then. */
export async function leftovers(deps: ControllerDeps, signal: AbortSignal): Promise<readonly string[]> {
  const listed = new AbortController();
  const store = new Store<Service>({}, deps.log);
  const reflector = new Reflector<Service>({ ...deps, resource: left, store });
  const ended = reflector.run(AbortSignal.any([signal, listed.signal]));
  await Promise.race([reflector.whenSynced(), ended]);
  listed.abort();
  await ended;
  return store.list().map(({ meta }) => keyOf(meta));
}
