import type { Endpoint, EndpointSlice, Identity } from "../api/objects.ts";
import { endpointSlices, keyOf, type Resource } from "../kube/resource.ts";
import { Shared } from "../kube/shared.ts";

/** What a speaker keeps of an EndpointSlice. */
export interface LeanSlice extends Pick<EndpointSlice, "addressType" | "endpoints"> {
  readonly meta: Omit<Identity, "uid">;
  /** The key of the Service it belongs to; "" where it has none. */
  readonly service: string;
  /** Those that serve, one for each node: which nodes serve is all that matters. */
  readonly endpoints: readonly Endpoint[];
}

/** EndpointSlices that belong to a Service, lean. */
export const leanSlices: Resource<LeanSlice> = {
  ...endpointSlices,
  keep: (raw) => leanSlice(endpointSlices.keep(raw)),
  wanted: ({ service }) => service !== "",
};

/** Keeps of a slice what a speaker goes by. */
export function leanSlice({ meta, serviceName, addressType, endpoints }: EndpointSlice): LeanSlice {
  const { namespace, name, resourceVersion } = meta;
  return {
    meta: { namespace: shared(namespace), name, resourceVersion },
    service: serviceName === "" ? "" : keyOf({ namespace, name: serviceName }),
    addressType: shared(addressType),
    endpoints: servingOnce(endpoints),
  };
}

/** Keeps one serving endpoint of each node, by node name; where the same nodes serve it is the same array. */
function servingOnce(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const serving = new Set(endpoints.flatMap(({ serving, nodeName = "" }) => (serving ? [nodeName] : [])));
  const nodes = [...serving].sort();
  return lists.of(JSON.stringify(nodes), () => nodes.map(servingOn));
}

/** An endpoint on no node has the name "". */
function servingOn(nodeName: string): Endpoint {
  return onNodes.of(nodeName, () => (nodeName === "" ? { serving: true } : { nodeName, serving: true }));
}

/** Namespaces and address types. */
const texts = new Shared<string>(1_000);
const shared = (text: string) => texts.of(text, () => text);
/** Kubernetes is made for 5 000 nodes. */
const onNodes = new Shared<Endpoint>(5_001);
/** In a small cluster there are few; in a large one they are all different, and to remember them would cost more than it saves. */
const lists = new Shared<readonly Endpoint[]>(500);
