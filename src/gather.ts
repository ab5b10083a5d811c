export interface Gathered {
  readonly write: (text: string) => void;
  /** Passes on at once what waits. */
  readonly flush: () => void;
}

/** Gathers what is written in one turn of the event loop into one write: each blocks the process for a system call. */
export function gather(write: (text: string) => void): Gathered {
  let waiting = "";
  const flush = () => {
    const text = waiting;
    waiting = "";
    if (text !== "") write(text);
  };
  return {
    write: (text) => {
      if (waiting === "") setImmediate(flush);
      waiting += text;
    },
    flush,
  };
}
