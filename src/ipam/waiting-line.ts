import { firstNotBefore } from "../binary-search.ts";

/** Who waits for one thing, in the order in which they will be served. */
export class WaitingLine {
  readonly #places: Place[] = [];

  get places(): readonly Place[] {
    return this.#places;
  }

  add(place: Place): void {
    const at = this.#find(place);
    if (this.#places[at]?.key !== place.key) this.#places.splice(at, 0, place);
  }

  delete(place: Place): void {
    const at = this.#find(place);
    if (this.#places[at]?.key === place.key) this.#places.splice(at, 1);
  }

  /** Gives who comes after `place`, be that in the line or not; the first without it. */
  next(place: Place | undefined): Place | undefined {
    if (place === undefined) return this.#places[0];
    const at = this.#find(place);
    return this.#places[this.#places[at]?.key === place.key ? at + 1 : at];
  }

  /** Gives the index of the first place that is not before `place`. */
  #find(place: Place): number {
    // Many come, and many go, in order.
    const last = this.#places.at(-1);
    const order = last ? comparePlaces(last, place) : -1;
    if (order <= 0) return this.#places.length - (order === 0 ? 1 : 0);
    return firstNotBefore(this.#places, (other) => comparePlaces(other, place) < 0);
  }
}

export interface Place {
  /** "namespace/name" */
  readonly key: string;
  readonly createdAt: number;
  /** Holds an address already, and waits for another. */
  readonly holds: boolean;
}

/** Orders by who has nothing yet, then by age, then by namespace and name. */
export function comparePlaces(a: Place, b: Place): number {
  if (a.holds !== b.holds) return a.holds ? 1 : -1;
  return a.createdAt - b.createdAt || compareKeys(a.key, b.key);
}

/** Orders keys by namespace, then name: "a/z" before "a-b/a", which the slash's code would put the other way round. */
export function compareKeys(a: string, b: string): number {
  const [left, right] = [a.replace("/", "\0"), b.replace("/", "\0")];
  return left < right ? -1 : left > right ? 1 : 0;
}
