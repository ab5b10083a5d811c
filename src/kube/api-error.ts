import { HeraldError } from "../errors.ts";
import { isRecord, text } from "./raw.ts";

/** What to do about a refusal, for those that somebody must mend. */
const REMEDY: Readonly<Record<number, string>> = {
  401: "the credentials are not valid (any more): renew the token or the kubeconfig",
  403: "give this user Herald's roles (config/rbac)",
};

/** An answer of the API server other than success. */
export class ApiError extends HeraldError {
  override readonly name = "ApiError";
  /** The HTTP status, or the code of a watch's ERROR event. */
  readonly status: number;
  /** Kubernetes' machine-readable reason (`Conflict`, `Expired`, ...); "" where the answer held none. */
  readonly reason: string;
  /** How long the server asks to wait before the next try. */
  readonly retryAfterMs: number | undefined;

  /** `doing` is method and path, `body` the answer's body: a Status object, or whatever a proxy has sent. */
  constructor(doing: string, status: number, body: unknown, retryAfterMs?: number) {
    const answer = isRecord(body) ? body : {};
    const reason = text(answer.reason);
    const message = oneLine(text(answer.message) || (typeof body === "string" ? body : ""));
    const why = [`${status}${reason && ` ${reason}`}`, message, REMEDY[status]].filter((part) => part);
    super("ApiRefused", `${doing}: ${why.join(": ")}`);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Tells whether `error` is the API server's answer with this status. */
export function isStatus(error: unknown, status: number): boolean {
  return error instanceof ApiError && error.status === status;
}

/** Reads a Retry-After header of seconds (RFC 9110 section 10.2.3; the API server never sends a date), up to 2 minutes. */
export function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,9}$/.test(header)) return undefined;
  return Math.min(Number(header), 120) * 1000;
}

function oneLine(message: string): string {
  const line = message.replace(/\s+/g, " ").trim();
  return line.length > 500 ? `${line.slice(0, 500)}...` : line;
}
