/** How much is written: each level includes those after it. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Extra facts of a log line; an Error is written as its message and causes, never as a stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes structured log lines. Messages are lower case, without a full stop; what varies goes into the fields. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log that adds these fields to each line. */
  with(fields: LogFields): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** true: for a person at a terminal; false: one JSON object a line. */
  readonly human: boolean;
  readonly write: (line: string) => void;
  readonly now: () => Date;
}

/** Causes that are followed; a chain may be a loop. */
const MOST_CAUSES = 8;

/** Gives the one-line text of an error: its message, then the messages of its causes that add something. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  let at = error;
  for (let depth = 0; at !== undefined && depth < MOST_CAUSES; depth++) {
    const text = (at instanceof Error ? at.message || at.name : String(at)).replace(/\s+/g, " ").trim();
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(": ");
}

/** Makes the process's log; the parts get it handed in. */
export function createLog(options: LogOptions, fields: LogFields = {}): Log {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const line = options.human ? humanLine : jsonLine;
  const at = (level: LogLevel) => (message: string, more?: LogFields) => {
    if (LOG_LEVELS.indexOf(level) < threshold) return;
    options.write(line(options.now(), level, message, { ...fields, ...more }));
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (more) => createLog(options, { ...fields, ...more }),
  };
}

/** A log that drops everything, for tests of what does not log. */
export const noLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => noLog,
};

function plain(value: unknown): unknown {
  if (value instanceof Error) return errorText(value);
  if (typeof value === "bigint") return value.toString();
  return value;
}

function jsonLine(time: Date, level: LogLevel, message: string, fields: LogFields): string {
  const entries = Object.entries(fields).filter(([key, value]) => value !== undefined && !RESERVED.has(key));
  const extra = Object.fromEntries(entries.map(([key, value]) => [key, plain(value)]));
  return `${JSON.stringify({ time: time.toISOString(), level, message, ...extra }, (_, value) => plain(value))}\n`;
}

/** The keys every line has; a field of the same name must not hide them. */
const RESERVED = new Set(["time", "level", "message"]);

function humanLine(time: Date, level: LogLevel, message: string, fields: LogFields): string {
  const extra = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${humanValue(plain(value))}`)
    .join("");
  return `${time.toISOString().slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${message}${extra}\n`;
}

function humanValue(value: unknown): string {
  if (typeof value === "string") return /[\s"=\p{Cc}]/u.test(value) || value === "" ? quoted(value) : value;
  return typeof value === "object" ? quoted(value) : String(value);
}

/** JSON without the control characters that JSON allows: a terminal obeys them. */
function quoted(value: unknown): string {
  const json = JSON.stringify(value, (_, inner) => plain(inner));
  return json.replace(/\p{Cc}/gu, (one) => `\\u00${one.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
