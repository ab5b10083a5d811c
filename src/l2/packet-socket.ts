import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { type ErrorCode, HeraldError } from "../errors.ts";
import { ipBytes } from "./ip-bytes.ts";

/** An interface as the kernel has it now. */
export interface LinkState {
  /** Administratively up, with carrier. */
  readonly up: boolean;
  readonly ifindex: number;
  readonly mac: Uint8Array;
}

export interface PacketSocketOptions {
  readonly interface: string;
  /** Takes hello frames: EtherType 0x88b5, sent to the speakers' group or to this MAC, whole, at most 1518 bytes. */
  readonly onFrames: (frames: Uint8Array[]) => void;
  /** Takes the state at the start and after each change; undefined: there is no interface of that name any more. */
  readonly onLink: (link: LinkState | undefined) => void;
  /** The socket can't do its work any more, or not on the interface that came back. */
  readonly onError: (error: HeraldError) => void;
}

/**
 * One interface. A thread of its own answers ARP and takes hello frames, so it works on while JavaScript is busy. It
 * comes back by itself after a link flap and on a new interface of the same name. While open it keeps the process alive.
 * After close() every method but close, mac and counters throws.
 */
export interface PacketSocket {
  /** The interface's; the last known one while it is gone. */
  readonly mac: Uint8Array;
  /**
   * Sets which IPs are answered for, and with which MAC, in place of the former table. When it returns, the former
   * table allows no reply any more.
   */
  setTable(table: ReadonlyMap<string, Uint8Array>): void;
  /**
   * Lets it answer for that long from now, as measured by CLOCK_BOOTTIME; 0 or less ends it at once: when it returns, no
   * reply leaves any more. Nothing is answered before the first call.
   */
  renew(validForMs: number): void;
  /**
   * Sends whole Ethernet frames, in order. What the kernel refuses is counted (`sendErrors`) and dropped. Where the
   * interface's queue is full it waits, but no longer than some 5 ms in all.
   */
  send(frames: readonly Uint8Array[]): void;
  /** Drops every hello frame that came before the call and was not given to onFrames; gives their number. */
  discardQueued(): number;
  /** What became of the frames, each since the start: native/src/counters.h has the names. */
  counters(): Record<string, number>;
  /** Ends the thread and closes the sockets; no callback runs any more. Closing twice does nothing. */
  close(): void;
}

/** Opens a packet socket; needs CAP_NET_RAW alone. Throws NoSuchInterface, NoPacketSocket or NoNativeAddon. */
export function openPacketSocket(options: PacketSocketOptions): PacketSocket {
  const addon = loadAddon();
  const { interface: name, onFrames, onLink, onError } = options;
  let native: NativeSocket | undefined;
  try {
    native = new addon.PacketSocket(name, (frames, link, error) => {
      if (link !== null && native !== undefined) onLink(link);
      if (frames.length > 0 && native !== undefined) onFrames(frames);
      if (error !== null && native !== undefined) {
        onError(new HeraldError("NoPacketSocket", `packet socket on interface ${name}: ${error}`));
      }
    });
  } catch (cause) {
    throw openError(name, cause);
  }
  let mac: Uint8Array = native.mac();
  let counters = native.counters();
  const open = (): NativeSocket => {
    if (native === undefined) throw new Error(`use the packet socket on interface ${name}: it is closed`);
    return native;
  };
  return {
    get mac() {
      mac = native?.mac() ?? mac;
      return mac;
    },
    setTable: (table) => open().setTable(packTable(table)),
    renew: (validForMs) => open().renew(validForMs),
    send: (frames) => open().send(frames),
    discardQueued: () => open().discardQueued(),
    counters: () => {
      counters = native?.counters() ?? counters;
      return counters;
    },
    close: () => {
      counters = native?.counters() ?? counters;
      native?.close();
      native = undefined;
    },
  };
}

/** Milliseconds on CLOCK_BOOTTIME, which goes on while the machine sleeps: a deadline is over after a suspend. */
export function boottimeMs(): number {
  return loadAddon().boottimeMs();
}

interface NativeSocket {
  setTable(packed: Uint8Array): void;
  renew(validForMs: number): void;
  send(frames: readonly Uint8Array[]): void;
  discardQueued(): number;
  mac(): Uint8Array;
  counters(): Record<string, number>;
  close(): void;
}

/** `link` is null where there is no news of it, undefined where it is gone. */
type Receive = (frames: Uint8Array[], link: LinkState | undefined | null, error: string | null) => void;

interface Addon {
  readonly PacketSocket: new (name: string, receive: Receive) => NativeSocket;
  boottimeMs(): number;
}

let loaded: Addon | undefined;

function loadAddon(): Addon {
  if (loaded === undefined) {
    try {
      loaded = createRequire(import.meta.url)("node-gyp-build")(
        fileURLToPath(new URL("../..", import.meta.url)),
      ) as Addon;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
      throw new HeraldError(
        "NoNativeAddon",
        `load the packet socket addon for ${process.platform}-${process.arch}: ${reason}; in a checkout run node native/build.mjs (needs g++)`,
        { cause },
      );
    }
  }
  return loaded;
}

const REMEDIES: Partial<Record<ErrorCode, string>> = {
  NoSuchInterface: "name one that `ip link` lists with link/ether",
  NoPacketSocket: "give the process CAP_NET_RAW",
};

function openError(name: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || !("code" in cause)) return cause;
  const code = cause.code === "NoSuchInterface" ? "NoSuchInterface" : "NoPacketSocket";
  return new HeraldError(code, `open interface ${name}: ${cause.message}; ${REMEDIES[code]}`, { cause });
}

const ENTRY_LENGTH = 22;

/** Entries of IPv6 address (or IPv4-mapped, RFC 4291 section 2.5.5.2), 16 bytes, then MAC, 6 bytes. */
function packTable(table: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const packed = new Uint8Array(table.size * ENTRY_LENGTH);
  let at = 0;
  for (const [ip, mac] of table) {
    if (mac.length !== 6) throw new RangeError(`the MAC of ${ip} has ${mac.length} bytes`);
    const address = ipBytes(ip);
    if (address.length === 4) packed.fill(0xff, at + 10, at + 12);
    packed.set(address, at + 16 - address.length);
    packed.set(mac, at + 16);
    at += ENTRY_LENGTH;
  }
  return packed;
}
