import { parseArgs } from "node:util";
import { parseDuration } from "./durations.ts";
import { HeraldError } from "./errors.ts";
import { LOG_LEVELS, type LogLevel } from "./log.ts";

/** A flag of a command, as --help shows it. */
export interface Flag {
  readonly name: string;
  /** What stands for the value in --help; absent: the flag takes none. */
  readonly value?: string;
  readonly help: string;
  readonly default?: string;
}

/** The flags given, as text, with the defaults filled in; a flag without a value is "true" when given. */
export type Given = ReadonlyMap<string, string>;

/** Reads the arguments of a command. Throws BadFlag with what is wrong and the remedy. */
export function readFlags(command: string, flags: readonly Flag[], args: readonly string[]): Given {
  const remedy = `see "herald ${command} --help"`;
  const options = Object.fromEntries(
    flags.map((flag) => [flag.name, { type: flag.value === undefined ? ("boolean" as const) : ("string" as const) }]),
  );
  let values: Readonly<Record<string, string | boolean | undefined>>;
  try {
    values = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (cause) {
    const [first = ""] = (cause as Error).message.split(/\.(?:\s|$)/);
    throw new HeraldError("BadFlag", `${command}: ${first.charAt(0).toLowerCase()}${first.slice(1)}; ${remedy}`);
  }
  const given = new Map<string, string>();
  for (const { name, default: byDefault } of flags) {
    const value = values[name] ?? byDefault;
    if (value !== undefined) given.set(name, String(value));
  }
  return given;
}

/** Writes a command's --help. */
export function helpText(usage: string, about: string, flags: readonly Flag[]): string {
  const left = flags.map(({ name, value }) => `  --${name}${value === undefined ? "" : ` ${value}`}`);
  const width = Math.max(...left.map((text) => text.length)) + 3;
  const rows = flags.map(({ help, default: byDefault }, index) => {
    const tail = byDefault === undefined ? "" : ` (default ${byDefault})`;
    return `${left[index]?.padEnd(width)}${help}${tail}`;
  });
  return `Usage: ${usage}\n\n${about}\n\nFlags:\n${rows.join("\n")}\n`;
}

/** Reads "host:port", "[v6]:port", or ":port" for every address that the machine has. Throws BadFlag. */
export function readAddress(flag: string, text: string): { readonly host?: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535)
    throw new HeraldError("BadFlag", `--${flag} ${text}: not an address with a port; write it like 0.0.0.0:7980`);
  const host = match[1] ?? match[2];
  return host ? { host, port } : { port };
}

/** Reads a duration within bounds, in milliseconds. Throws BadFlag. */
export function readDuration(flag: string, text: string, leastMs: number, mostMs: number): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms < leastMs || ms > mostMs)
    throw new HeraldError("BadFlag", `--${flag} ${text}: not a duration from ${leastMs}ms to ${mostMs}ms`);
  return ms;
}

/** Reads a whole number within bounds. Throws BadFlag. */
export function readInteger(flag: string, text: string, least: number, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new HeraldError("BadFlag", `--${flag} ${text}: not a whole number from ${least} to ${most}`);
  return value;
}

/** Reads an HTTP URL, or "off": undefined. Throws BadFlag. */
export function readUrlOrOff(flag: string, text: string): string | undefined {
  if (text === "off") return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:")
    throw new HeraldError("BadFlag", `--${flag} ${text}: neither a URL like http://127.0.0.1:10256/healthz nor "off"`);
  return url.href;
}

/** Reads an absolute path, or "off": undefined. Throws BadFlag. */
export function readPathOrOff(flag: string, text: string): string | undefined {
  if (text === "off") return undefined;
  if (!text.startsWith("/"))
    throw new HeraldError("BadFlag", `--${flag} ${text}: neither a path that begins with "/" nor "off"`);
  return text;
}

/** Reads a log level. Throws BadFlag. */
export function readLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((each) => each === text);
  if (level === undefined)
    throw new HeraldError("BadFlag", `--log-level ${text}: no such level; there are ${LOG_LEVELS.join(", ")}`);
  return level;
}
