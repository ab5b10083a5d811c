import type { Route } from "./model.ts";
import { type Group, groupOf } from "./profiles.ts";

/** The routes of a node: one for each prefix, with what all of its members' pools say of it. */
export class RouteTable {
  readonly #groups = new Map<string, Group>();
  readonly #united = new Map<string, Group>();

  /** Takes a member of a prefix: the first brings the route about. */
  add(prefix: string, group: Group): void {
    const there = this.#groups.get(prefix);
    if (there === group) return;
    this.#groups.set(prefix, there === undefined || there.key === group.key ? group : this.#unite(there, group));
  }

  /** The groups that routes follow, each once. */
  groups(): ReadonlySet<Group> {
    return new Set(this.#groups.values());
  }

  /** Gives the routes, by prefix. `numbers`: of audiences, by key. */
  routes(numbers: ReadonlyMap<string, number>): ReadonlyMap<string, Route> {
    const routes = new Map<string, Route>();
    for (const [prefix, group] of this.#groups) routes.set(prefix, routeOf(prefix, group, numbers));
    return routes;
  }

  #unite(a: Group, b: Group): Group {
    const [first, second] = a.key < b.key ? [a, b] : [b, a];
    const key = `${first.key} ${second.key}`;
    const known = this.#united.get(key) ?? groupOf([...first.rules, ...second.rules]);
    this.#united.set(key, known);
    return known;
  }
}

/** Gives the route that follows a group. `numbers`: of audiences, by key. */
export function routeOf(prefix: string, { attributes, audience }: Group, numbers: ReadonlyMap<string, number>): Route {
  const { communities, largeCommunities, localPref, med } = attributes;
  return { prefix, communities, largeCommunities, localPref, med, profile: audience && numbers.get(audience.key) };
}
