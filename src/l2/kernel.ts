/** So many unanswered probes are remembered. */
const MOST_PENDING = 16;

/**
 * What is known of the kernel of a neighbour: whether it answers ARP or NS for the node's own address. It tells a node
 * that is gone from one whose speaker is away while it goes on forwarding.
 */
export class Kernel {
  lastAnswerMs = Number.NEGATIVE_INFINITY;
  /** When to ask next, once asking is wanted. */
  nextProbeMs = 0;
  /** Since when every probe was answered. */
  #answeringSinceMs: number | undefined;
  /** When the probes were sent that are not answered, the latest last. */
  #pending: number[] = [];

  /** Says whether it answered after `sinceMs`. */
  answeredAfter(sinceMs: number): boolean {
    return this.lastAnswerMs > sinceMs;
  }

  /** The number of probes that went without an answer for at least `patienceMs`. */
  missed(nowMs: number, patienceMs: number): number {
    return this.#pending.filter((sentMs) => nowMs - sentMs >= patienceMs).length;
  }

  /** For how long it has answered nothing, though asked. */
  silentForMs(nowMs: number): number {
    return this.#pending[0] === undefined ? 0 : nowMs - this.#pending[0];
  }

  /** For how long it has answered everything. */
  answeringForMs(nowMs: number): number {
    return this.#answeringSinceMs === undefined ? 0 : nowMs - this.#answeringSinceMs;
  }

  probed(nowMs: number): void {
    if (this.#pending.length > 0) this.#answeringSinceMs = undefined;
    this.#pending.push(nowMs);
    if (this.#pending.length > MOST_PENDING) this.#pending.splice(1, 1); // the first says since when it is silent
  }

  answered(nowMs: number): void {
    this.lastAnswerMs = nowMs;
    this.#answeringSinceMs ??= nowMs;
    this.#pending = [];
  }

  /** Its speaker was heard: what went unanswered before that means nothing. */
  excuse(): void {
    this.#pending = [];
  }
}
