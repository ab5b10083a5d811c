import { setTimeout as sleep } from "node:timers/promises";
import { type Api, ApiFailure, type ApiObject } from "./api.ts";

const AGAIN_MS = 100;

/**
 * Resolves with an object as soon as `accept` says so; undefined stands for an object that is not there. `path` is the
 * object's own. Also over restarts of the API server. Throws after `timeoutMs` with the object as it was last seen.
 */
export async function untilObject(
  api: Api,
  path: string,
  what: string,
  accept: (object: ApiObject | undefined) => boolean,
  timeoutMs = 20_000,
): Promise<ApiObject> {
  const slash = path.lastIndexOf("/");
  const collection = `${path.slice(0, slash)}?fieldSelector=${encodeURIComponent(`metadata.name=${path.slice(slash + 1)}`)}`;
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), timeoutMs);
  let last: ApiObject | undefined;
  let trouble = "";
  try {
    while (!over.signal.aborted) {
      try {
        const list = await api.get(collection);
        last = list.items[0];
        if (accept(last)) return last;
        const { promise, resolve } = Promise.withResolvers<boolean>();
        const onEvent = (event: { type: string; object: ApiObject }) => {
          last = event.type === "DELETED" ? undefined : event.object;
          if (accept(last)) resolve(true);
        };
        const stop = new AbortController();
        const watch = api
          .watch(
            `${collection}&resourceVersion=${list.metadata.resourceVersion}`,
            onEvent,
            AbortSignal.any([stop.signal, over.signal]),
          )
          .then(() => false);
        const accepted = await Promise.race([promise, watch]);
        stop.abort();
        await watch.catch(() => {});
        if (accepted) return last;
      } catch (error) {
        if (over.signal.aborted) break;
        if (error instanceof ApiFailure && error.status < 500 && error.status !== 410) throw error;
        trouble = `; ${error instanceof Error ? error.message : error}`;
        await sleep(AGAIN_MS);
      }
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Error(`${what}: not so after ${timeoutMs / 1000} s${trouble}; ${path} is ${short(last)}`);
}

/** Waits until Kubernetes calls a node Ready, and has taken its taints away. */
export async function nodeReady(api: Api, node: string, timeoutMs?: number): Promise<void> {
  const ready = (object: ApiObject) => conditionIs(object, "Ready", "True") && (object.spec.taints ?? []).length === 0;
  await untilObject(api, `/api/v1/nodes/${node}`, `node ${node} is Ready`, ready, timeoutMs);
}

/** Waits until a pod is Ready. */
export async function podReady(api: Api, namespace: string, name: string, timeoutMs?: number): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  await untilObject(api, path, `pod ${name} is ready`, (pod) => conditionIs(pod, "Ready", "True"), timeoutMs);
}

/** Tells whether an object has a condition with this status. */
export function conditionIs(object: ApiObject | undefined, type: string, status: string): boolean {
  return object?.status?.conditions?.some((one: ApiObject) => one.type === type && one.status === status) === true;
}

function short(object: ApiObject | undefined): string {
  if (object === undefined) return "not there";
  const { status, spec } = object;
  return JSON.stringify({ status, spec }).slice(0, 800);
}
