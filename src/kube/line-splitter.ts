const NEWLINE = 0x0a;

/** Cuts a byte stream into lines. What is left without a newline at the end of the stream was cut off: it is no line. */
export class LineSplitter {
  readonly #maxBytes: number;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;

  /** Throws from `push` for a line longer than `maxBytes`. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next bytes, which it may keep, and gives the lines that they complete, without empty ones. */
  *push(chunk: Uint8Array): Generator<string> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = this.#take(chunk.subarray(start, end));
      start = end + 1;
      if (line !== "") yield line;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  #take(tail: Uint8Array): string {
    if (this.#pendingBytes === 0 && tail.length <= this.#maxBytes) return text(tail);
    this.#keep(tail);
    const line = text(Buffer.concat(this.#pending, this.#pendingBytes));
    this.#pending = [];
    this.#pendingBytes = 0;
    return line;
  }

  #keep(part: Uint8Array): void {
    this.#pending.push(part);
    this.#pendingBytes += part.length;
    if (this.#pendingBytes > this.#maxBytes) throw new RangeError(`a line is longer than ${this.#maxBytes} bytes`);
  }
}

/** UTF-8, without a copy of the bytes. */
function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
