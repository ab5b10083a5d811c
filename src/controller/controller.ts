import type { Registry } from "prom-client";
import type { IPPool } from "../api/ippool.ts";
import type { Namespace, Service } from "../api/objects.ts";
import type { Clock } from "../clock.ts";
import type { KubeClient } from "../kube/client.ts";
import { EventRecorder } from "../kube/events.ts";
import { ipPools } from "../kube/herald-resources.ts";
import { lead } from "../kube/leader.ts";
import { Reflector } from "../kube/reflector.ts";
import { type Kept, namespaces, type Resource, services } from "../kube/resource.ts";
import { Store } from "../kube/store.ts";
import type { Log } from "../log.ts";
import { leftovers } from "./leftovers.ts";
import { createControllerMetrics } from "./metrics.ts";
import { Term } from "./term.ts";

export interface ControllerDeps {
  readonly client: KubeClient;
  /** Holds the Lease. */
  readonly namespace: string;
  /** Tells this process from the others that may lead. */
  readonly identity: string;
  readonly clock: Clock;
  /** [0, 1) */
  readonly random: () => number;
  readonly log: Log;
  readonly registry: Registry;
  /** Ends the controller. */
  readonly signal: AbortSignal;
  /** Hears whether the objects have been read, by the leader and by those who wait alike. */
  readonly ready?: (is: boolean) => void;
  /** Leave Services alone that name no class. */
  readonly classOnly: boolean;
}

/** The objects that the controller reads, and that are kept in step until `signal` is aborted. */
export interface Watched {
  readonly services: Store<Service>;
  readonly pools: Store<IPPool>;
  readonly namespaces: Store<Namespace>;
  /**
   * Gives the keys of Services of other types that still have what Herald writes onto those that it serves: they are of
   * another type since nobody led. Reads them once.
   */
  readonly leftovers: () => Promise<readonly string[]>;
  /** Resolves when all have been listed. */
  readonly synced: Promise<unknown>;
  /** Resolves when nothing is read any more. */
  readonly ended: Promise<unknown>;
}

const LEASE = "herald-controller";

/** A process that leads at once need not read everything twice: the others begin to read after this. */
const STANDBY_AFTER_MS = 1000;

/** While Services come and go by the dozen they are taken up together, this often, in ms: it halves what each costs. */
const STORM_REST_MS = 100;

/** Gives what waits to be written at the end this long. */
const FLUSH_MS = 2000;

/**
 * Assigns addresses to Services until `signal` is aborted; resolves when all has ended. Any number of them may run: the
 * one that holds the Lease writes, the others only show that they could.
 */
export async function runController(deps: ControllerDeps): Promise<void> {
  const { client, namespace, identity, clock, random, log, signal, ready = () => {} } = deps;
  const metrics = createControllerMetrics(deps.registry);
  const events = new EventRecorder({ client, component: "herald-controller", instance: identity, clock, random });
  let standby = startStandby(deps);
  await lead({
    client,
    namespace,
    name: LEASE,
    identity,
    clock,
    random,
    log,
    signal,
    run: async (termSignal, leads) => {
      standby.stop();
      // What another leader wrote last must be seen before anything is given out, so this reads anew.
      const watched = watch(deps, termSignal);
      await Promise.race([watched.synced, watched.ended]);
      if (!termSignal.aborted) {
        ready(true);
        await new Term({ ...deps, client: whileLeading(client, leads), metrics, events, watched }).run(termSignal);
      }
      await watched.ended;
      if (!signal.aborted) standby = startStandby(deps);
    },
  });
  standby.stop();
  await events.end(FLUSH_MS);
}

/** Lets nothing through once another may lead. */
function whileLeading(client: KubeClient, leads: () => boolean): Pick<KubeClient, "request"> {
  return {
    request: async (request) => {
      if (!leads()) throw new Error(`${request.method} ${request.path}: not sent, the Lease has run out`);
      return await client.request(request);
    },
  };
}

/** Reads the objects as the leader does, and is ready when it can. */
function startStandby(deps: ControllerDeps): { stop: () => void } {
  const over = new AbortController();
  const cancel = deps.clock.after(STANDBY_AFTER_MS, () => {
    const watched = watch(deps, AbortSignal.any([over.signal, deps.signal]));
    void watched.synced.then(() => deps.ready?.(true));
  });
  return {
    stop: () => {
      cancel();
      over.abort();
    },
  };
}

function watch(deps: ControllerDeps, signal: AbortSignal): Watched {
  const reflect = <T extends Kept>(resource: Resource<T>) => {
    const store = new Store<T>({}, deps.log);
    const reflector = new Reflector<T>({ ...deps, resource, store, stormRestMs: STORM_REST_MS });
    return { store, synced: reflector.whenSynced(), ended: reflector.run(signal) };
  };
  const [all, pools, spaces] = [reflect(services), reflect(ipPools), reflect(namespaces)];
  const each = [all, pools, spaces];
  return {
    services: all.store,
    pools: pools.store,
    namespaces: spaces.store,
    leftovers: () => leftovers(deps, signal),
    synced: Promise.all(each.map(({ synced }) => synced)),
    ended: Promise.all(each.map(({ ended }) => ended)),
  };
}
