import type { Agent, ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import * as https from "node:https";
import { finished } from "node:stream/promises";
import type { Clock } from "../clock.ts";
import { HeraldError } from "../errors.ts";
import { http } from "../http.ts";
import { ApiError, retryAfterMs } from "./api-error.ts";
import { Call } from "./call.ts";
import type { Connection } from "./connection.ts";
import { LineSplitter } from "./line-splitter.ts";
import { isRecord } from "./raw.ts";

export { ApiError } from "./api-error.ts";

/** How long an answer may take where the caller does not say. */
const REQUEST_TIMEOUT_MS = 30_000;
/**
 * Silence after which a watch is taken for dead. The API server sends a bookmark about every minute; TCP keep-alive
 * (15 s, then ten probes a second apart) notices a dead host sooner, this a dead server behind a live proxy.
 */
const WATCH_SILENCE_MS = 150_000;
const TCP_KEEP_ALIVE_MS = 15_000;
/** An object is at most 1.5 MiB in etcd; JSON with managed fields can be some times that. */
const MAX_EVENT_BYTES = 16 << 20;
const MAX_ANSWER_BYTES = 256 << 20;

/** The content type of a merge patch (RFC 7386). */
export const MERGE_PATCH = "application/merge-patch+json";
/** That of Kubernetes' own patch: it changes single items of lists that have a merge key. Not for custom resources. */
export const STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json";

/** What makes the API server answer with metadata alone (Kubernetes API concepts, "Alternate representations"); else whole. */
const METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json";

export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** "/api/v1/services/..."; its parts must be encoded where they need it. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Of the body; a PATCH has to say which patch it is. */
  readonly contentType?: string;
  /** Of the object only its metadata is wanted: the body of the answer is a PartialObjectMetadata. */
  readonly metadataOnly?: boolean;
  /** Nobody wants the body of the answer: it is not parsed, and undefined given for it. A refusal is told all the same. */
  readonly unread?: boolean;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** One line of a watch. `object` is unchecked: an object of the kind, or a Status for ERROR. */
export interface WatchEvent {
  readonly type: string;
  readonly object: unknown;
}

export interface KubeClientDeps {
  readonly clock: Clock;
  /** Counts answers: the HTTP status, or 0 where none came. A watch counts once, when it is answered. */
  readonly answered?: (method: string, status: number, tookMs: number) => void;
}

/**
 * Speaks JSON with the API server over HTTP/1.1 connections that it keeps. Rejects with `ApiError` for a refusal, with
 * HeraldError `NoApiServer` where no usable answer came, and with the signal's reason when aborted.
 */
export class KubeClient {
  readonly #connection: Connection;
  readonly #deps: KubeClientDeps;
  readonly #agent: Agent;
  readonly #target: Target;
  readonly #closed = new AbortController();

  constructor(connection: Connection, deps: KubeClientDeps) {
    this.#connection = connection;
    this.#deps = deps;
    this.#agent = connection.agent ?? keepAliveAgent(connection);
    this.#target = targetOf(connection);
  }

  /** Sends one request and gives the parsed body of the answer; undefined for an empty one. */
  async request<T>(request: KubeRequest): Promise<T> {
    try {
      return (await this.#ask(request)) as T;
    } catch (error) {
      if (!(error instanceof StaleConnection) || request.method === "POST") throw error;
      return (await this.#ask(request)) as T;
    }
  }

  /**
   * Watches a collection: yields the events, those together that have come since it was asked last, until the server ends
   * the stream, and throws where it breaks. Ending the iteration closes the connection. `query` needs no `watch`
   * parameter; `opened` is called when the server agrees.
   */
  async *watch(
    path: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
    opened: () => void = () => {},
  ): AsyncGenerator<readonly WatchEvent[], void, undefined> {
    const request: KubeRequest = { method: "GET", path, query: { ...query, watch: "true" }, signal };
    const call = new Call(this.#deps.clock, signal, this.#closed.signal);
    try {
      call.limit(REQUEST_TIMEOUT_MS);
      const response = await this.#open(request, call);
      if (response.statusCode !== 200) throw await refusal(request, response);
      opened();
      const lines = new LineSplitter(MAX_EVENT_BYTES);
      call.limit(WATCH_SILENCE_MS);
      for await (const chunk of response as AsyncIterable<Buffer>) {
        call.limit(WATCH_SILENCE_MS);
        const events = Array.from(lines.push(chunk), (line) => this.#parseEvent(request, line));
        if (events.length > 0) yield events;
      }
    } catch (error) {
      throw this.#explain(request, call, error);
    } finally {
      call.end();
    }
  }

  /** Aborts what is under way and closes all connections. */
  close(): void {
    this.#closed.abort(new HeraldError("NoApiServer", "the connection to the API server was closed on purpose"));
    this.#agent.destroy();
  }

  async #ask(request: KubeRequest): Promise<unknown> {
    const call = new Call(this.#deps.clock, request.signal, this.#closed.signal);
    try {
      call.limit(request.timeoutMs ?? REQUEST_TIMEOUT_MS);
      const response = await this.#open(request, call);
      const status = response.statusCode ?? 0;
      if (status < 200 || status > 299) throw await refusal(request, response);
      if (request.unread) return void (await finished(response.resume())); // so its connection can be used again
      const body = await bodyText(response);
      return body === "" ? undefined : parse(body);
    } catch (error) {
      throw this.#explain(request, call, error);
    } finally {
      call.end();
    }
  }

  /** Sends the request; resolves when the head of the answer is there. */
  async #open(request: KubeRequest, call: Call): Promise<IncomingMessage> {
    const started = this.#deps.clock.now();
    const answered = (status: number) =>
      this.#deps.answered?.(request.method, status, this.#deps.clock.now() - started);
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers = await this.#headers(request, body);
    call.throwIfAborted();
    return await new Promise((resolve, reject) => {
      let open = false;
      const { send, prefix, options } = this.#target;
      const path = prefix + pathOf(request);
      const sent = send({ ...options, path, method: request.method, headers, agent: this.#agent });
      call.onAbort((reason) => sent.destroy(reason));
      sent.on("socket", (socket) => socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS));
      sent.once("response", (response) => {
        open = true;
        call.onAbort((reason) => response.destroy(reason));
        answered(response.statusCode ?? 0);
        resolve(response);
      });
      sent.on("error", (error: NodeJS.ErrnoException) => {
        if (open) return; // the reader of the answer hears of it
        answered(0);
        const stale = sent.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE");
        reject(stale ? new StaleConnection(`${request.method} ${request.path}`, error) : error);
      });
      sent.end(body);
    });
  }

  async #headers(request: KubeRequest, body: string | undefined): Promise<OutgoingHttpHeaders> {
    const token = await this.#connection.token?.();
    return {
      accept: request.metadataOnly ? METADATA_ONLY : "application/json",
      "user-agent": "herald",
      ...(body === undefined
        ? {}
        : { "content-type": request.contentType ?? "application/json", "content-length": Buffer.byteLength(body) }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...this.#connection.headers,
    };
  }

  #parseEvent(request: KubeRequest, line: string): WatchEvent {
    const event = parse(line);
    if (isRecord(event) && typeof event.type === "string") return { type: event.type, object: event.object };
    throw this.#noAnswer(request, "it sent something that is no watch event");
  }

  /** Turns what went wrong into what the caller is told. */
  #explain(request: KubeRequest, call: Call, error: unknown): unknown {
    if (call.timedOut) return this.#noAnswer(request, `it was silent for ${call.limitMs / 1000} s`, error);
    if (call.aborted) return call.reason;
    if (error instanceof HeraldError) return error;
    if (error instanceof RangeError) return this.#noAnswer(request, error.message);
    if (error instanceof SyntaxError) return this.#noAnswer(request, "it sent something that is not JSON");
    const { code = "" } = error as NodeJS.ErrnoException;
    if (/CERT|TLS|SSL|ISSUER|SIGNATURE/.test(code))
      return this.#noAnswer(request, "check the CA and the server's name", error);
    return this.#noAnswer(request, "is it up and reachable from here", error);
  }

  #noAnswer(request: KubeRequest, what: string, cause?: unknown): HeraldError {
    const { protocol, host } = this.#connection.server;
    const message = `${request.method} ${request.path}: no answer from the API server ${protocol}//${host}: ${what}`;
    return new HeraldError("NoApiServer", message, { cause });
  }
}

/** A kept connection turned out to be closed by the server: the request may be sent again. */
class StaleConnection extends HeraldError {
  constructor(doing: string, cause: unknown) {
    super("NoApiServer", `${doing}: the API server has closed the connection`, { cause });
  }
}

/** What is the same in all requests, worked out once. */
interface Target {
  readonly send: (options: https.RequestOptions) => ClientRequest;
  readonly options: https.RequestOptions;
  /** The path that the server's own URL may have (a gateway to several clusters). */
  readonly prefix: string;
}

function targetOf({ server, serverName }: Connection): Target {
  const { protocol, port, hostname, pathname } = server;
  return {
    send: protocol === "http:" ? http.request : https.request,
    options: {
      protocol,
      hostname: hostname.replace(/^\[(.*)\]$/, "$1"), // a URL has brackets around IPv6
      ...(port === "" ? {} : { port }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    },
    prefix: pathname.replace(/\/$/, ""),
  };
}

function pathOf({ path, query }: KubeRequest): string {
  const parameters = query === undefined ? "" : new URLSearchParams(query).toString();
  return parameters === "" ? path : `${path}?${parameters}`;
}

function keepAliveAgent(connection: Connection): Agent {
  const options = { keepAlive: true, keepAliveMsecs: TCP_KEEP_ALIVE_MS, scheduling: "lifo" as const };
  const { ca, cert, key, insecure } = connection;
  const agent =
    connection.server.protocol === "http:"
      ? new http.Agent(options)
      : new https.Agent({
          ...options,
          ...(ca === undefined ? {} : { ca }),
          ...(cert === undefined ? {} : { cert }),
          ...(key === undefined ? {} : { key }),
          ...(insecure === true ? { rejectUnauthorized: false } : {}),
        });
  // All its connections are alike. Left to itself, it makes a text of all these options for each request.
  agent.getName = () => "";
  return agent;
}

/** Reads a body to its end; rejects where it breaks off. */
function bodyText(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES)
        response.destroy(new RangeError(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`));
      else chunks.push(chunk);
    });
    response.on("end", () => resolve(Buffer.concat(chunks, bytes).toString("utf8")));
    response.on("error", reject);
    response.on("close", () => {
      if (!response.readableEnded) reject(new Error("the answer was cut off"));
    });
  });
}

async function refusal(request: KubeRequest, response: IncomingMessage): Promise<ApiError> {
  const body = await bodyText(response);
  let parsed: unknown = body;
  try {
    parsed = JSON.parse(body);
  } catch {} // a proxy's page of text: the error shows its beginning
  const wait = retryAfterMs(response.headers["retry-after"]);
  return new ApiError(`${request.method} ${request.path}`, response.statusCode ?? 0, parsed, wait);
}

function parse(json: string): unknown {
  return JSON.parse(json);
}
