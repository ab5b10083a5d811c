import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { type ErrorCode, HeraldError } from "../errors.ts";
import { packAddresses, TablePacker } from "./table-packer.ts";

/** An interface as the kernel has it now. */
export interface LinkState {
  /** Administratively up, with carrier. */
  readonly up: boolean;
  /** Up by the administrator's word, with carrier or without. */
  readonly adminUp: boolean;
  /** The administrator keeps ARP and NDP off it. */
  readonly noArp: boolean;
  /** Index of the bridge or bond that it is a port of: frames go there and not here. 0: of none. */
  readonly master: number;
  readonly mtu: number;
  readonly ifindex: number;
  readonly mac: Uint8Array;
}

export interface PacketSocketOptions {
  readonly interface: string;
  /**
   * Takes whole frames, of at most 1518 bytes:
   * - hello frames: EtherType 0x88b5, sent to the speakers' group or to this MAC;
   * - well-formed ARP and NDP from other MACs: what tells who has an IP of the table or one given to watch(); what answers
   *   this MAC; and of the rest one each 100 ms, as a sign that this interface hears. It comes each 5 ms at most, what says
   *   the same once in that time; of a flood 10 000 different ones a second, and 1000 about IPs that are not watched.
   */
  readonly onFrames: (frames: Uint8Array[]) => void;
  /** Takes the state at the start and after each change; undefined: there is no interface of that name any more. */
  readonly onLink: (link: LinkState | undefined) => void;
  /** The socket can't do its work any more, or not on the interface that came back. */
  readonly onError: (error: HeraldError) => void;
}

/**
 * One interface. A thread of its own answers ARP and NDP and takes hello frames, so it works on while JavaScript is busy. It
 * comes back by itself after a link flap and on a new interface of the same name. While open it keeps the process alive.
 * After close() every method but close, mac and counters throws.
 */
export interface PacketSocket {
  /** The interface's; the last known one while it is gone. */
  readonly mac: Uint8Array;
  /**
   * Sets which IPs are answered for, and with which MAC, in place of the former table. When it returns, the former
   * table allows no reply any more. The solicited-node groups of its IPv6 addresses are joined soon after. Of a
   * PersistentMap that came from the former one only what changed is read.
   */
  setTable(table: ReadonlyMap<string, Uint8Array>): void;
  /**
   * Sets the IPs whose ARP and NDP is wanted, besides those of the table: in place of those before. `heard` are others'
   * addresses. `probed` are about to be announced here: others' probes for them, which name no sender, are wanted too.
   */
  watch(heard: Iterable<string>, probed: Iterable<string>): void;
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
  /** Drops every frame that came before the call and was not given to onFrames; gives the number of the hello frames. */
  discardQueued(): number;
  /** What became of the frames, each since the start: docs/responder.md explains them. */
  counters(): Record<string, number>;
  /** Ends the thread and closes the sockets; no callback runs any more. Closing twice does nothing. */
  close(): void;
}

/** Opens a packet socket; needs CAP_NET_RAW alone. Throws NoSuchInterface, NoPacketSocket or NoNativeAddon. */
export function openPacketSocket(options: PacketSocketOptions): PacketSocket {
  const addon = loadAddon();
  const { interface: name, onFrames, onLink, onError } = options;
  const packer = new TablePacker();
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
    setTable: (table) => open().setTable(packer.pack(table)),
    watch: (heard, probed) => open().setWatched(packAddresses(heard), packAddresses(probed)),
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
  setWatched(heard: Uint8Array, probed: Uint8Array): void;
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
