import { fileURLToPath } from "node:url";
import { credentials, loadPackageDefinition, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { DaemonError } from "./daemon.ts";

/** The same from src/ and from dist/. */
const PROTO = fileURLToPath(new URL("../../proto/gobgp.proto", import.meta.url));

/** How long a call may take, in ms; one that goes through all routes of a node, or sends many, may take the latter. */
const CALL_MS = 5_000;
export const LONG_CALL_MS = 30_000;

const CHANNEL_OPTIONS = {
  // A daemon that comes back is found within this time; a call in between fails at once.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 100,
  "grpc.enable_retries": 0,
  "grpc.enable_http_proxy": 0,
  // All policies come in one message.
  "grpc.max_receive_message_length": -1,
  // Pings are left off, as they are by default: gobgpd answers them with GOAWAY.
};

type Method = string;
type Callback = (error: ServiceError | null, answer: unknown) => void;

interface ReadStream {
  on(event: "data", listener: (message: never) => void): this;
  on(event: "end", listener: () => void): this;
  on(event: "error", listener: (error: ServiceError) => void): this;
  cancel(): void;
}

interface WriteStream {
  on(event: "error", listener: () => void): this;
  write(message: object, sent: () => void): boolean;
  end(): void;
  cancel(): void;
}

interface Stub {
  readonly close: () => void;
  readonly [method: Method]: (...args: never[]) => unknown;
}

type StubClass = new (address: string, credentials: unknown, options: object) => Stub;

let stubClass: StubClass | undefined;

/** Reads the proto when it is first needed: a speaker without peers doesn't pay for it. */
function loadStub(): StubClass {
  if (stubClass === undefined) {
    const options = { keepCase: true, enums: String, longs: Number, defaults: true, oneofs: true };
    const loaded = loadPackageDefinition(loadSync(PROTO, options)) as unknown as {
      readonly api: { readonly GoBgpService: StubClass };
    };
    stubClass = loaded.api.GoBgpService;
  }
  return stubClass;
}

/** A connection to the gobgpd behind a Unix socket. Every call has a deadline, and fails with a DaemonError. */
export class GobgpChannel {
  readonly socket: string;
  readonly #stub: Stub;

  /** `socket` is an absolute path; whether anybody listens there is seen with the first call. */
  constructor(socket: string) {
    this.socket = socket;
    this.#stub = new (loadStub())(`unix:${socket}`, credentials.createInsecure(), CHANNEL_OPTIONS);
  }

  close(): void {
    this.#stub.close();
  }

  call<A>(method: Method, request: object = {}): Promise<A> {
    return new Promise((resolve, reject) => {
      const done: Callback = (error, answer) =>
        error === null ? resolve(answer as A) : reject(this.#explain(method, error));
      this.#invoke(method, request, { deadline: Date.now() + CALL_MS }, done);
    });
  }

  /** Gives all messages of an answer that is a stream. */
  list<M>(method: Method, request: object = {}, timeoutMs = CALL_MS): Promise<M[]> {
    return new Promise((resolve, reject) => {
      const messages: M[] = [];
      const stream = this.#invoke(method, request, { deadline: Date.now() + timeoutMs }) as ReadStream;
      stream.on("data", (message) => messages.push(message));
      stream.on("end", () => resolve(messages));
      stream.on("error", (error) => reject(this.#explain(method, error)));
    });
  }

  /** Sends messages one after the other, as fast as they are taken; resolves when gobgpd has worked off the last. */
  send(method: Method, messages: Iterable<object>): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false;
      let taken = () => {};
      const done: Callback = (error) => {
        over = true;
        taken();
        if (error === null) resolve();
        else reject(this.#explain(method, error));
      };
      const stream = this.#invoke(method, { deadline: Date.now() + LONG_CALL_MS }, done) as WriteStream;
      stream.on("error", () => {}); // the callback has it
      const pump = async () => {
        for (const message of messages) {
          await new Promise<void>((next) => {
            taken = next;
            if (over) next();
            else stream.write(message, next);
          });
          if (over) return;
        }
        stream.end();
      };
      pump().catch((error: unknown) => {
        stream.cancel();
        reject(error);
      });
    });
  }

  /** Hears messages until gobgpd ends the stream, or the way to stop that this gives is called; `ended` comes once, not after a stop. */
  hear<M>(method: Method, request: object, on: { heard: (message: M) => void; ended: () => void }): () => void {
    let over = false;
    const end = () => {
      if (over) return;
      over = true;
      on.ended();
    };
    const stream = this.#invoke(method, request) as ReadStream;
    stream.on("data", (message) => {
      if (!over) on.heard(message);
    });
    stream.on("end", end);
    stream.on("error", end);
    return () => {
      over = true;
      stream.cancel();
    };
  }

  #invoke(method: Method, ...args: unknown[]): unknown {
    return (this.#stub[method] as (...args: unknown[]) => unknown).apply(this.#stub, args);
  }

  /** Makes the error for a gobgpd of a version that Herald can't use. */
  tooOld(version: string, cause?: unknown): DaemonError {
    const message = `gobgpd at ${this.socket} is of version ${version}; run gobgpd 4.5 or later there`;
    return new DaemonError("TooOld", message, { cause });
  }

  #explain(method: Method, error: ServiceError): DaemonError {
    const { code, details } = error;
    const at = `gobgpd at ${this.socket}`;
    const fail = (kind: DaemonError["kind"], message: string) => new DaemonError(kind, message, { cause: error });
    if (code === status.UNIMPLEMENTED) return this.tooOld("3 or older: it does not know the API of version 4", error);
    if (code === status.DEADLINE_EXCEEDED)
      return fail("Frozen", `${at} does not answer ${method}; see whether its process is stopped or out of CPU`);
    if (code === status.UNAVAILABLE || code === status.CANCELLED)
      return fail("Away", `nobody answers at ${this.socket}; see whether the gobgpd container runs and shares it`);
    if (details === STOPPED)
      return fail("Away", `${at} has stopped its BGP and does nothing more; restart its container`);
    return fail("Refused", `${at} refused ${method}: ${details}`);
  }
}

/** What gobgpd says to everything after StopBgp. */
const STOPPED = "server stopped";
