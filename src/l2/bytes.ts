/** Reads big-endian fields front to back. Past the end it gives zeros and sets `overrun`, so that a decoder checks once. */
export class Reader {
  overrun = false;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  u8(): number {
    return this.#take(1) ? this.#view.getUint8(this.#at - 1) : 0;
  }
  u16(): number {
    return this.#take(2) ? this.#view.getUint16(this.#at - 2) : 0;
  }
  u32(): number {
    return this.#take(4) ? this.#view.getUint32(this.#at - 4) : 0;
  }
  u64(): bigint {
    return this.#take(8) ? this.#view.getBigUint64(this.#at - 8) : 0n;
  }
  /** Reads so many u32; empty on overrun. */
  u32s(count: number): number[] {
    if (!this.#take(4 * count)) return [];
    const read: number[] = [];
    for (let at = this.#at - 4 * count; at < this.#at; at += 4) read.push(this.#view.getUint32(at));
    return read;
  }
  /** Views the input; empty on overrun. */
  bytes(length: number): Uint8Array {
    return this.#take(length) ? this.#bytes.subarray(this.#at - length, this.#at) : new Uint8Array(0);
  }
  /** One character per byte. */
  text(length: number): string {
    return String.fromCharCode(...this.bytes(length));
  }
  #take(length: number): boolean {
    if (this.#at + length > this.#bytes.length) this.overrun = true;
    else this.#at += length;
    return !this.overrun;
  }
}

/** Writes big-endian fields into a buffer of a fixed size; what doesn't fit is a caller's error and throws. */
export class Writer {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }
  u8(value: number): this {
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
    return this;
  }
  u16(value: number): this {
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
    return this;
  }
  u32(value: number): this {
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
    return this;
  }
  u64(value: bigint): this {
    this.#view.setBigUint64(this.#at, value);
    this.#at += 8;
    return this;
  }
  bytes(value: Uint8Array): this {
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }
  /** One byte per character, so ASCII only. */
  text(value: string): this {
    for (let i = 0; i < value.length; i++) this.u8(value.charCodeAt(i));
    return this;
  }
  /** Views what was written so far. */
  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }
}
