import { ANNOTATION } from "../api/names.ts";
import type { EndpointSlice, Service } from "../api/objects.ts";
import type { HeldIP } from "../bgp/held-ip.ts";
import { type CandidateService, servingNodes } from "../election/candidates.ts";
import { keyOf } from "../kube/resource.ts";
import { ipsOf } from "./announcement.ts";

/** The Services, and what gives the slices of one by "namespace/name": the same array as long as nothing of them changed. */
export interface ServicesView {
  readonly services: readonly Service[];
  readonly slicesOf: (service: string) => readonly EndpointSlice[];
}

/** What one Service makes of an IP: all there is to it, where no other shares it. */
interface Holding extends HeldIP {
  readonly ip: string;
  readonly service: CandidateService;
}

/**
 * Gives the IPs that Services hold, in canonical text. One that is not shared is the same object as long as its Service
 * and slices are: of 10 000 the one that is new is found without looking into the others.
 */
export function heldIPs({ services, slicesOf }: ServicesView): ReadonlyMap<string, HeldIP> {
  const firsts = new Map<string, Holding>();
  const sharers = new Map<string, Holding[]>();
  for (const service of services) {
    for (const holding of holdingsOf(service, slicesOf)) {
      const { ip } = holding;
      const first = firsts.get(ip);
      const sharing = sharers.get(ip);
      if (first === undefined) firsts.set(ip, holding);
      else if (sharing === undefined) sharers.set(ip, [first, holding]);
      else sharing.push(holding);
    }
  }
  const held: Map<string, HeldIP> = firsts;
  for (const [ip, all] of sharers) {
    const serving = servingNodes(all.map(({ service }) => service));
    held.set(ip, { serving, assignedPool: all[0]?.assignedPool });
  }
  return held;
}

/** Reads a Service and its slices once: most stay as they are. */
function holdingsOf(service: Service, slicesOf: ServicesView["slicesOf"]): readonly Holding[] {
  const known = readings.get(service);
  const key = known?.key ?? keyOf(service.meta);
  const slices = slicesOf(key);
  if (known?.slices === slices) return known.holdings;
  const holdings = ipsOf(service).map((ip) => read(ip, service, slices));
  readings.set(service, { key, slices, holdings });
  return holdings;
}

function read(ip: string, { meta, externalTrafficPolicy }: Service, slices: readonly EndpointSlice[]): Holding {
  const family = ip.includes(":") ? "IPv6" : "IPv4";
  const endpoints = slices.filter(({ addressType }) => addressType === family).flatMap((slice) => slice.endpoints);
  const service = { externalTrafficPolicy, endpoints };
  return { ip, service, serving: servingNodes([service]), assignedPool: meta.annotations[ANNOTATION.assignedPool] };
}

interface Reading {
  readonly key: string;
  readonly slices: readonly EndpointSlice[];
  readonly holdings: readonly Holding[];
}

const readings = new WeakMap<Service, Reading>();
