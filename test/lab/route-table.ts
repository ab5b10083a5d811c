import { inNetnsOnly } from "./netns.ts";
import { Observer } from "./observe.ts";
import type { ProbeDeps } from "./probe.ts";

/** A change of a route in a router's kernel; `at` is milliseconds since 1970. */
export interface RouteChange {
  readonly at: number;
  readonly prefix: string;
  /** The next hops, sorted; undefined: the route is gone. */
  readonly via: readonly string[] | undefined;
}

/** The routes that BGP has put into the kernel of one namespace, as they are now and as they came. */
export class RouteTable {
  readonly #routes = new Map<string, readonly string[]>();
  readonly #changes: RouteChange[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #observer: Observer;

  constructor(deps: ProbeDeps) {
    const command = inNetnsOnly(deps.netns, [deps.labTool, "routes"]);
    this.#observer = new Observer(command, deps.reaper, (line) => this.#see(JSON.parse(line)));
  }

  /** Resolves when nothing can be missed any more. */
  get started(): Promise<void> {
    return this.#observer.started;
  }

  /** Prefix to next hops. */
  get routes(): ReadonlyMap<string, readonly string[]> {
    return this.#routes;
  }

  /** Every change so far, oldest first. */
  get changes(): readonly RouteChange[] {
    return this.#changes;
  }

  /** Waits until `accept` says so, asked after each change; gives how long that was. Throws with `seen()` after `timeoutMs`. */
  async until(what: string, accept: () => boolean, seen: () => unknown, timeoutMs = 15_000): Promise<void> {
    if (accept()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => accept() && resolve();
    const timer = setTimeout(() => {
      reject(new Error(`${what}: not so after ${timeoutMs / 1000} s; it is ${JSON.stringify(seen())}`));
    }, timeoutMs);
    this.#waiting.add(look);
    try {
      await promise;
    } finally {
      this.#waiting.delete(look);
      clearTimeout(timer);
    }
  }

  #see(change: { readonly at: number; readonly prefix: string; readonly via?: readonly string[] }): void {
    const via = change.via?.toSorted();
    this.#changes.push({ at: change.at, prefix: change.prefix, via });
    if (via === undefined) this.#routes.delete(change.prefix);
    else this.#routes.set(change.prefix, via);
    for (const look of this.#waiting) look();
  }
}
