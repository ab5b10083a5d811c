import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import { decodeOpen, messageLength } from "./open-message.ts";

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** Where the session would come from; undefined: what the routes say. */
  readonly localAddress: string | undefined;
  /** The interface that the session is bound to; undefined: what the routes say. */
  readonly bindInterface: string | undefined;
}

/** What a peer says to a connection of our own, which is never signed with a password. */
export type ProbeAnswer =
  /** It was not asked: the routes lead elsewhere than the session goes, where another may have the address. */
  | { readonly what: "Elsewhere" }
  /** Nothing listens there. */
  | { readonly what: "Refused" }
  /** The network leads nowhere. */
  | { readonly what: "Unreachable" }
  /** Our own address for it can't be used. */
  | { readonly what: "NoSuchSource" }
  /** No answer at all, in time. */
  | { readonly what: "Silent" }
  /** It closed the connection without a word of BGP. */
  | { readonly what: "Closed" }
  /** It takes connections, and says nothing yet. */
  | { readonly what: "Listening" }
  /** It said which AS it is. */
  | { readonly what: "Opened"; readonly asn: number };

/** ARP and NDP give a host up after 3 s. */
const CONNECT_MS = 3_500;
const OPEN_MS = 1_000;
const MOST_BYTES = 4096;

const BY_CODE: Readonly<Record<string, ProbeAnswer>> = {
  ECONNREFUSED: { what: "Refused" },
  ECONNRESET: { what: "Closed" },
  EPIPE: { what: "Closed" },
  EHOSTUNREACH: { what: "Unreachable" },
  ENETUNREACH: { what: "Unreachable" },
  EHOSTDOWN: { what: "Unreachable" },
  EADDRNOTAVAIL: { what: "NoSuchSource" },
};

/** Connects to a peer, listens for its OPEN, and hangs up. Never rejects. */
export async function probePeer(target: ProbeTarget): Promise<ProbeAnswer> {
  const { address, bindInterface } = target;
  if (bindInterface !== undefined && !(await leadsOver(address, bindInterface))) return { what: "Elsewhere" };
  return await connectTo(target);
}

/** Tells whether the node's routes lead to an address over this interface: from one of its own addresses, that is. Sends nothing. */
function leadsOver(address: string, name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
    const end = (found: boolean) => {
      socket.close();
      resolve(found);
    };
    socket.on("error", () => end(false));
    socket.connect(DISCARD_PORT, address, () => {
      const source = socket.address().address;
      end((networkInterfaces()[name] ?? []).some((one) => one.address === source));
    });
  });
}

/** RFC 863; any would do. */
const DISCARD_PORT = 9;

function connectTo({ address, port, localAddress }: ProbeTarget): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, ...(localAddress !== undefined && { localAddress }) });
    let heard: Uint8Array = new Uint8Array();
    const end = (answer: ProbeAnswer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    let timer = setTimeout(() => end({ what: "Silent" }), CONNECT_MS);
    socket.on("connect", () => {
      clearTimeout(timer);
      timer = setTimeout(() => end({ what: "Listening" }), OPEN_MS);
    });
    socket.on("data", (part) => {
      heard = Buffer.concat([heard, part]);
      const open = decodeOpen(heard);
      if (open !== undefined) end({ what: "Opened", asn: open.asn });
      else if (heard.length > MOST_BYTES || isOther(heard)) end({ what: "Closed" });
    });
    socket.on("close", () => end({ what: "Closed" }));
    socket.on("error", (error: NodeJS.ErrnoException) => end(BY_CODE[error.code ?? ""] ?? { what: "Silent" }));
  });
}

/** It is whole, and no OPEN: a NOTIFICATION. */
function isOther(heard: Uint8Array): boolean {
  const length = messageLength(heard);
  return length !== undefined && heard.length >= length;
}
