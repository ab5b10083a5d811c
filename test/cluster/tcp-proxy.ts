import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands between a client and a server, and can part them. */
export interface TcpProxy {
  readonly port: number;
  /** Breaks all connections. */
  cut(): void;
  /** Breaks all connections, and each new one at once, until `open`. */
  close(): void;
  open(): void;
  /** Keeps back what the clients send from now on. */
  hold(): void;
  /** On how many connections something is kept back. */
  held(): number;
  /** Passes on what was kept back, and what comes from now on. */
  release(): void;
  stop(): Promise<void>;
}

/** Starts a proxy on 127.0.0.1 for a TCP server. */
export async function startTcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const kept = new Map<Socket, Buffer[]>();
  let isOpen = true;
  let isHolding = false;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {}); // shown by "close"
    socket.on("close", () => sockets.delete(socket));
  };
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    keep(client);
    if (!isOpen) return void client.destroy();
    const upstream = connect(target);
    keep(upstream);
    client.on("data", (data) => {
      if (!isHolding) upstream.write(data);
      else kept.set(upstream, [...(kept.get(upstream) ?? []), data]);
    });
    upstream.pipe(client);
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    close: () => {
      isOpen = false;
      cut();
    },
    open: () => {
      isOpen = true;
    },
    hold: () => {
      isHolding = true;
    },
    held: () => kept.size,
    release: () => {
      isHolding = false;
      for (const [upstream, all] of kept) for (const data of all) upstream.write(data);
      kept.clear();
    },
    stop: async () => {
      const closed = once(server, "close");
      server.close();
      cut();
      await closed;
    },
  };
}
