import type { Claim } from "../election/ownership.ts";
import type { ClaimsBody, Entry, FullBody } from "./claims.ts";

/** The claims of a neighbour as its frames tell them, and what of them is missing. */
export class NeighbourClaims {
  /** What it had before it began to start, until its claims are in again. */
  held: ReadonlyMap<string, Claim> | undefined;
  /** Since when its claims are known to be incomplete. */
  missingSinceMs: number | undefined;
  /** When they are asked for again. */
  requestAtMs = 0;
  #claims = new Map<string, Claim>();
  /** The version of #claims; undefined: a full is needed. */
  #version: bigint | undefined;
  /** The highest version that its frames spoke of. */
  #announced = 0n;
  #parts: { readonly version: bigint; readonly bodies: Map<number, FullBody> } | undefined;
  /** Removals in this node's favour that were taken notice of, by IP. */
  readonly #ceded = new Map<string, bigint>();

  get current(): ReadonlyMap<string, Claim> {
    return this.#claims;
  }

  /** Keeps what it has now, if that is known, as what it held; unless something is kept already. */
  hold(): void {
    if (this.#version !== undefined) this.held ??= this.#claims;
  }

  /** A new run of its speaker: its claims are unknown, and what it had is what it held. */
  beginAgain(): void {
    this.hold();
    this.#forgetVersions();
  }

  /** Forgets everything, of a node that died. */
  forget(): void {
    this.held = this.missingSinceMs = undefined;
    this.#forgetVersions();
  }

  /** A hello says which version there is. */
  heardVersion(version: bigint, nowMs: number): void {
    this.#announced = version;
    if (this.#version === undefined && version === 0n) this.#version = 0n;
    this.#compareVersions(nowMs);
  }

  takeChanges({ before, version, entries }: ClaimsBody, nowMs: number): readonly Entry[] {
    if (version > this.#announced) this.#announced = version;
    const fits = this.#version === before;
    if (fits) {
      this.#version = version;
      if (this.held === this.#claims) this.#claims = new Map(this.#claims);
      for (const entry of entries) this.#apply(entry);
    }
    this.#compareVersions(nowMs);
    return fits ? entries : [];
  }

  takeFull(body: FullBody, nowMs: number): readonly Entry[] {
    if (this.#version !== undefined && body.version <= this.#version) return [];
    if (body.version > this.#announced) this.#announced = body.version;
    if (this.#parts === undefined || this.#parts.version < body.version)
      this.#parts = { version: body.version, bodies: new Map() };
    if (this.#parts.version !== body.version) return [];
    this.#parts.bodies.set(body.part, body);
    if (this.#parts.bodies.size < body.parts) return [];
    const entries = [...this.#parts.bodies.values()].flatMap((part) => part.entries);
    this.#parts = undefined;
    return this.#replace(body.version, entries, nowMs);
  }

  /** Says whether a removal in this node's favour is news. */
  cedes(ip: string, epoch: bigint): boolean {
    if (this.#ceded.get(ip) === epoch) return false;
    this.#ceded.set(ip, epoch);
    return true;
  }

  #forgetVersions(): void {
    this.#claims = new Map();
    this.#version = undefined;
    this.#announced = 0n;
    this.#parts = undefined;
    this.#ceded.clear();
  }

  #replace(version: bigint, entries: readonly Entry[], nowMs: number): readonly Entry[] {
    const before = this.#claims;
    this.#claims = new Map();
    this.#version = version;
    for (const entry of entries) this.#apply(entry);
    this.#compareVersions(nowMs);
    const told = new Set(entries.map((entry) => entry.ip));
    const gone = [...before].filter(([ip]) => !told.has(ip));
    return [...entries, ...gone.map(([ip, { epoch }]) => ({ ip, epoch, removed: true, successor: 0 }) as const)];
  }

  #apply(entry: Entry): void {
    if (entry.removed) this.#claims.delete(entry.ip);
    else {
      const { epoch, yielding, tentative } = entry;
      this.#claims.set(entry.ip, tentative ? { epoch, yielding, tentative } : { epoch, yielding });
    }
  }

  #compareVersions(nowMs: number): void {
    if (this.#version === this.#announced) this.missingSinceMs = undefined;
    else if (this.missingSinceMs === undefined) {
      this.missingSinceMs = nowMs;
      this.requestAtMs = nowMs;
    }
  }
}
