import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import { parse } from "yaml";

/** An object of the API, of whatever kind: the lab looks into it as it needs. */
// biome-ignore lint/suspicious/noExplicitAny: test code reads many kinds, none of them in full.
export type ApiObject = any;

/** The API server's answer that is no success. */
export class ApiFailure extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: ApiObject;
}

export interface ApiOptions {
  readonly kubeconfig: string;
  /** A Unix socket that leads to the API server, for a process outside of its network. */
  readonly socketPath?: string;
}

/** A client of the API server for the lab itself, independent of the one under test. */
export class Api {
  readonly #server: URL;
  readonly #token: string;
  readonly #connection: { readonly ca: string; readonly socketPath?: string };
  #agent = new Agent({ keepAlive: true });

  private constructor(server: URL, token: string, connection: { ca: string; socketPath?: string }) {
    this.#server = server;
    this.#token = token;
    this.#connection = connection;
  }

  static async open(options: ApiOptions): Promise<Api> {
    const config: ApiObject = parse(await readFile(options.kubeconfig, "utf8"));
    const cluster = config.clusters[0].cluster;
    const ca = Buffer.from(cluster["certificate-authority-data"], "base64").toString();
    const { socketPath } = options;
    return new Api(
      new URL(cluster.server),
      config.users[0].user.token,
      socketPath === undefined ? { ca } : { ca, socketPath },
    );
  }

  async get(path: string): Promise<ApiObject> {
    return this.#call("GET", path);
  }

  /** Like get, but undefined where the object is not there. */
  async find(path: string): Promise<ApiObject | undefined> {
    try {
      return await this.#call("GET", path);
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 404) return undefined;
      throw error;
    }
  }

  async create(path: string, body: ApiObject): Promise<ApiObject> {
    return this.#call("POST", path, body, "application/json");
  }

  /** A JSON merge patch: lists are replaced. */
  async patch(path: string, body: ApiObject): Promise<ApiObject> {
    return this.#call("PATCH", path, body, "application/merge-patch+json");
  }

  /** Nothing happens where the object is gone. */
  async delete(path: string, options: { readonly gracePeriodSeconds?: number } = {}): Promise<void> {
    try {
      await this.#call("DELETE", path, options, "application/json");
    } catch (error) {
      if (!(error instanceof ApiFailure && error.status === 404)) throw error;
    }
  }

  /** Lists what is there as ADDED, then follows the changes until `signal`; throws where the connection breaks. */
  async watch(path: string, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<void> {
    const separator = path.includes("?") ? "&" : "?";
    const response = await this.#send("GET", `${path}${separator}watch=true`, undefined, undefined, signal);
    if (response.statusCode !== 200) throw new ApiFailure(response.statusCode ?? 0, await text(response));
    response.setEncoding("utf8");
    let rest = "";
    try {
      for await (const chunk of response) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() as string;
        for (const line of lines) {
          const event = JSON.parse(line);
          if (event.type === "ERROR") throw new ApiFailure(event.object.code, event.object.message);
          onEvent(event);
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    if (!signal.aborted) throw new Error(`watch ${path}: the server ended it`);
  }

  /** Gives up the connections that are there, as after a network fault. */
  reconnect(): void {
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true });
  }

  async #call(method: string, path: string, body?: ApiObject, contentType?: string): Promise<ApiObject> {
    const response = await this.#send(method, path, body, contentType, AbortSignal.timeout(5000));
    const answer = await text(response);
    if ((response.statusCode ?? 500) < 300) return JSON.parse(answer);
    let message = answer;
    try {
      message = JSON.parse(answer).message;
    } catch {}
    throw new ApiFailure(response.statusCode ?? 0, `${method} ${path}: ${message.trim()}`);
  }

  #send(
    method: string,
    path: string,
    body: ApiObject,
    contentType: string | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const request = httpsRequest(
        new URL(path, this.#server),
        {
          ...this.#connection,
          method,
          agent: this.#agent,
          signal,
          headers: {
            authorization: `Bearer ${this.#token}`,
            ...(payload === undefined
              ? {}
              : { "content-type": contentType, "content-length": Buffer.byteLength(payload) }),
          },
        },
        resolve,
      );
      request.once("error", (error) =>
        reject(new Error(`${method} ${path}: the API server does not answer: ${error.message}`, { cause: error })),
      );
      request.end(payload);
    });
  }
}
