import { type Daemon, DaemonError } from "./daemon.ts";

/** Stands for the gobgpd of a node where BGP is switched off: nothing can be asked of it. */
export const noGobgpd: Daemon = {
  read: refuse,
  sessions: refuse,
  apply: refuse,
  watch: ({ ended }) => {
    queueMicrotask(ended);
    return () => {};
  },
};

async function refuse(): Promise<never> {
  throw new DaemonError(
    "Away",
    "BGP is switched off on this node, and BGPPeers select it; start the speaker with --gobgp-socket PATH, or take this node out of their nodeSelector",
  );
}
