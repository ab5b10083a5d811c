import { readFileSync } from "node:fs";

/** The kernel's tables of TCP sockets, of this process's network namespace. */
const TABLES = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];

/** TCP_LISTEN of net/tcp_states.h. */
const LISTEN = "0A";

/** Tells whether any program listens on a TCP port, on whichever address; no, where the kernel does not say. */
export function isPortTaken(port: number): boolean {
  return TABLES.some((path) => hasListener(read(path), port));
}

/** Looks for a listener in such a table: its columns are a number, local and remote address as "0100007F:00B3", and the state. */
export function hasListener(table: string, port: number): boolean {
  const end = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").some((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === LISTEN && local?.endsWith(end) === true;
  });
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // a kernel without IPv6 has no tcp6
  }
}
