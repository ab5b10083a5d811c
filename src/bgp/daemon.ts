import { errorText } from "../log.ts";
import type { Call } from "./calls.ts";
import type { BGPState } from "./model.ts";

/** What the reconciler needs of gobgpd; each call has a deadline of its own, and rejects with a DaemonError. */
export interface Daemon {
  /** Reads all that Herald has to do with. */
  read(): Promise<BGPState>;
  /** Reads the sessions alone; cheap. */
  sessions(): Promise<readonly Session[]>;
  /** Carries the calls out in order; stops at the first that fails. */
  apply(calls: readonly Call[]): Promise<void>;
  /** Tells of each change of a session, and once when nothing is told any more, also where that is from the start. Gives the way to stop. */
  watch(on: { readonly changed: () => void; readonly ended: () => void }): () => void;
}

/** The states of RFC 4271, section 8.2.2. */
export type SessionState = "Idle" | "Connect" | "Active" | "OpenSent" | "OpenConfirm" | "Established";

export type BFDState = "AdminDown" | "Down" | "Init" | "Up";

/** A session as gobgpd sees it at one moment. Counters are totals since the peer was added. */
export interface Session {
  /** As in `Peer`. */
  readonly neighbor: string;
  readonly state: SessionState;
  /** When it was established last, in milliseconds since 1970; undefined: never. */
  readonly establishedAtMs: number | undefined;
  /** As agreed with the peer, in seconds; only while established. */
  readonly holdTime: number | undefined;
  readonly keepaliveTime: number | undefined;
  /** The router ID of the peer; only once it has said it. */
  readonly peerRouterID: string | undefined;
  /** Routes sent to it, as counted last; routes that it sent, which gobgpd counts and makes no use of. */
  readonly advertised: number;
  readonly accepted: number;
  /** Of the session: how often it went down. */
  readonly flaps: number;
  /** OPENs that the peer sent: none while no connection comes about. */
  readonly opensReceived: number;
  readonly notificationsSent: number;
  readonly notificationsReceived: number;
  readonly updatesSent: number;
  readonly updatesReceived: number;
  readonly bfd: BFDState | undefined;
}

export function isEstablished({ state }: Session): boolean {
  return state === "Established";
}

/** What is wrong with gobgpd: nobody listens, it does not answer in time, it is no gobgpd that Herald can use, or it refused a call. */
export type DaemonProblemKind = "Away" | "Frozen" | "TooOld" | "Refused";

export interface DaemonProblem {
  readonly kind: DaemonProblemKind;
  /** In words, with the remedy. */
  readonly message: string;
}

/** Why a call to gobgpd was not done. */
export class DaemonError extends Error {
  override readonly name = "DaemonError";
  readonly kind: DaemonProblemKind;
  constructor(kind: DaemonProblemKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** It can't listen on its port, and has not started its BGP; without the listener it may. */
export class CannotListen extends DaemonError {
  constructor(message: string, options?: ErrorOptions) {
    super("Refused", message, options);
  }
}

/** Says what an error of a call means. */
export function problemOf(error: unknown): DaemonProblem {
  if (error instanceof DaemonError) return { kind: error.kind, message: error.message };
  return { kind: "Refused", message: errorText(error) };
}
