import type { Shape } from "./choose.ts";
import { comparePlaces, type Place, WaitingLine } from "./waiting-line.ts";

/** What a line waits for. */
export type Topic =
  | { readonly for: "Pool"; readonly pool: string; readonly shape: Shape }
  | { readonly for: "IP"; readonly ip: string }
  | { readonly for: "SharingKey"; readonly key: string };

/** Who waits for what: a Service stands in the line of each thing that may help it. */
export class WaitingRoom {
  readonly #lines = new Map<string, WaitingLine>();
  readonly #waiting = new Map<string, { readonly place: Place; readonly topics: readonly Topic[] }>();

  get size(): number {
    return this.#waiting.size;
  }

  keys(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  /** Those in the line of a topic, who is served first first. */
  line(topic: Topic): readonly Place[] {
    return this.#lines.get(nameOf(topic))?.places ?? [];
  }

  /** Gives who comes after `place` in the line of a topic; the first without it. */
  next(topic: Topic, place: Place | undefined): Place | undefined {
    return this.#lines.get(nameOf(topic))?.next(place);
  }

  /** A Service that no topic can help waits too: until somebody changes it, or a pool. */
  enter(place: Place, topics: readonly Topic[]): void {
    this.leave(place.key);
    this.#waiting.set(place.key, { place, topics });
    for (const topic of topics) {
      const name = nameOf(topic);
      const line = this.#lines.get(name) ?? new WaitingLine();
      this.#lines.set(name, line);
      line.add(place);
    }
  }

  /** Lets all leave. */
  clear(): void {
    this.#lines.clear();
    this.#waiting.clear();
  }

  leave(key: string): void {
    const known = this.#waiting.get(key);
    if (known === undefined) return;
    this.#waiting.delete(key);
    for (const topic of known.topics) {
      const name = nameOf(topic);
      const line = this.#lines.get(name);
      line?.delete(known.place);
      if (line?.places.length === 0) this.#lines.delete(name);
    }
  }
}

/** Gives the place that is served first. */
export function earliest(places: Iterable<Place>): Place | undefined {
  let found: Place | undefined;
  for (const place of places) if (found === undefined || comparePlaces(place, found) < 0) found = place;
  return found;
}

/** Gives equal names to equal topics. */
export function nameOf(topic: Topic): string {
  if (topic.for === "Pool") return `pool ${topic.pool} ${topic.shape}`;
  return topic.for === "IP" ? `ip ${topic.ip}` : `key ${topic.key}`;
}
