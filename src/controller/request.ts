import { ANNOTATION } from "../api/names.ts";
import type { Service } from "../api/objects.ts";
import { formatIP, type IP, parseIP, sameIP, whyNotIP } from "../ipam/addresses.ts";
import type { Request, RequestProblem } from "../ipam/demand.ts";
import { quote } from "./quote.ts";

/**
 * Reads which pool or addresses the owner of a Service asks for: the annotations `heraldlb.io/pool` and `heraldlb.io/ips`,
 * and the older spec.loadBalancerIP; undefined where for none. One that is empty or blank asks for nothing.
 */
export function requestOf({ meta: { annotations }, loadBalancerIP = "" }: Service): Request | undefined {
  const pool = annotations[ANNOTATION.pool]?.trim() ?? "";
  const list = readIPs(annotations[ANNOTATION.ips] ?? "");
  const single = loadBalancerIP.trim() === "" ? [] : readIP(FIELD, loadBalancerIP.trim());
  if (isProblem(list)) return { problem: list };
  if (isProblem(single)) return { problem: single };
  const [old] = single;
  // The field holds one address only: of two in the annotation it names one, and so says the same.
  if (old && list.length > 0 && !list.some((ip) => sameIP(ip, old))) return { problem: conflict(list, old) };
  const ips = list.length > 0 ? list : single;
  if (pool === "" && ips.length === 0) return undefined;
  return { ...(pool !== "" && { pool }), ips };
}

const FIELD = "spec.loadBalancerIP";
const EXAMPLE = 'write one like "192.0.2.10" or "2001:db8::10"';

/** More characters than any spelling of an address has, right or wrong: beyond, nobody is told what exactly is wrong. */
const LONGEST = 80;

/** Reads a comma list of at most one address per family, IPv4 first. */
function readIPs(text: string): readonly IP[] | RequestProblem {
  if (text.trim() === "") return [];
  const ips: IP[] = [];
  // Of any list the third entry is one too many.
  for (const entry of text.split(",", 3)) {
    const read = readIP(ANNOTATION.ips, entry.trim());
    if (isProblem(read)) return read;
    for (const ip of read) {
      const other = ips.find(({ family }) => family === ip.family);
      if (other) return tooMany(other, ip);
      ips.push(ip);
    }
  }
  return ips.sort((a, b) => (a.family < b.family ? -1 : 1));
}

function readIP(where: string, text: string): readonly IP[] | RequestProblem {
  const ip = parseIP(text);
  return ip ? [ip] : invalid(`${where} ${text === "" ? EMPTY : `has ${quote(text)}, which ${whyNot(text)}`}`);
}

const EMPTY = "has an empty entry; remove the comma that is too many";

/** Completes the sentence `<text> ...` with what is wrong and the remedy. */
function whyNot(text: string): string {
  if (text.length > LONGEST) return `is not an address; ${EXAMPLE}`;
  if (isIP(text.replace(/\/\d+$/, ""))) return `is a block of addresses; ${EXAMPLE}`;
  const ends = text.split("-");
  if (ends.length === 2 && ends.every((end) => isIP(end.trim()))) return `is a range of addresses; ${EXAMPLE}`;
  if (text.includes("%") && !isIP(text.split("%", 1)[0] ?? "")) return `is not an address; ${EXAMPLE}`;
  const why = whyNotIP(text);
  return why.includes(";") ? why : `${why}; ${EXAMPLE}`;
}

function isIP(text: string): boolean {
  return parseIP(text) !== undefined;
}

function tooMany(a: IP, b: IP): RequestProblem {
  return invalid(
    sameIP(a, b)
      ? `${ANNOTATION.ips} has ${formatIP(a)} twice; write it once`
      : `${ANNOTATION.ips} has two ${a.family} addresses, ${formatIP(a)} and ${formatIP(b)}; write at most one of each family`,
  );
}

function conflict(ips: readonly IP[], old: IP): RequestProblem {
  const text = `${ANNOTATION.ips} asks for ${ips.map(formatIP).join(" and ")}, and ${FIELD} for ${formatIP(old)}; remove one of the two`;
  return { reason: "ConflictingRequests", text };
}

function invalid(text: string): RequestProblem {
  return { reason: "InvalidRequest", text };
}

function isProblem(read: readonly IP[] | RequestProblem): read is RequestProblem {
  return "reason" in read;
}
