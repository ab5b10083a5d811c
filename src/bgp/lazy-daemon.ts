import type { Daemon } from "./daemon.ts";

/** Opens a daemon when it is first asked: a node without peers loads nothing of what speaks to gobgpd. */
export function lazyDaemon(open: () => Promise<Daemon>): Daemon {
  let opening: Promise<Daemon> | undefined;
  const opened = () => {
    opening ??= open();
    return opening;
  };
  return {
    read: async () => (await opened()).read(),
    sessions: async () => (await opened()).sessions(),
    apply: async (calls) => (await opened()).apply(calls),
    watch: (on) => {
      let stop: (() => void) | undefined = () => {};
      const ended = () => {
        if (stop !== undefined) on.ended();
      };
      void opened().then((daemon) => {
        if (stop !== undefined) stop = daemon.watch({ changed: on.changed, ended });
      }, ended);
      return () => {
        stop?.();
        stop = undefined;
      };
    },
  };
}
