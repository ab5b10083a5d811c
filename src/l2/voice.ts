import { type ClaimsBody, encodeClaims, encodeFull, encodeRequest, type FullBody } from "./claims.ts";
import { encodeFrame, type FrameType, type Identity } from "./frame.ts";
import { encodeHello, type Hello } from "./hello.ts";

/** Speaks for this node: builds its frames, numbered in the order in which they are to be sent. */
export class Voice {
  /** Which run of this node's speaker is speaking. */
  incarnation: bigint;
  readonly #identity: Identity;
  #sequence = 0n;
  #hellos = 0;

  constructor(identity: Identity, incarnation: bigint) {
    this.#identity = identity;
    this.incarnation = incarnation;
  }

  hello(hello: Omit<Hello, "hears">): Uint8Array {
    return this.#say("hello", encodeHello(this.#identity.node, hello, this.#hellos++));
  }

  claims(body: ClaimsBody): Uint8Array {
    return this.#say("claims", encodeClaims(body));
  }

  full(body: FullBody): Uint8Array {
    return this.#say("full", encodeFull(body));
  }

  /** Asks for all claims of the node with this nodeHash. */
  request(of: number): Uint8Array {
    return this.#say("request", encodeRequest(of));
  }

  #say(type: FrameType, body: Uint8Array): Uint8Array {
    this.#sequence++;
    return encodeFrame(this.#identity, { type, incarnation: this.incarnation, sequence: this.#sequence, body });
  }
}
