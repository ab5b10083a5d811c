import { errorText } from "../../log.ts";

/** Knows how far the Secrets are read: one that is not there counts only once all of them are. */
export class SecretsReading {
  readonly #namespace: string;
  readonly #isRead: () => boolean;
  #failure: string | undefined;

  constructor(namespace: string, isRead: () => boolean) {
    this.#namespace = namespace;
    this.#isRead = isRead;
  }

  /** They could not be listed; tells whether that is said for the first time. */
  failed(error: unknown): boolean {
    const failure = errorText(error);
    const isNews = !this.#isRead() && failure !== this.#failure;
    this.#failure = failure;
    return isNews;
  }

  /** They are neither read nor known to fail yet; that may be a moment. */
  get isOpen(): boolean {
    return !this.#isRead() && this.#failure === undefined;
  }

  /** Why they are not read, in words; undefined: they are. */
  get unread(): string | undefined {
    if (this.#isRead()) return undefined;
    return `Secrets of namespace ${this.#namespace} can't be read: ${this.#failure ?? "they are not listed yet"}`;
  }
}
