/** Stable codes of what a person must mend; docs/errors.md explains each. */
export type ErrorCode =
  | "OldNode"
  | "BadFlag"
  | "BadKubeconfig"
  | "BadHelloKey"
  | "NoApiServer"
  | "ApiRefused"
  | "NoNativeAddon"
  | "NoPacketSocket"
  | "NoSuchInterface"
  | "PortInUse"
  | "SegmentThreadFailed";

/** An error that somebody must mend: its message is one line that names the object, what is wrong and the remedy. */
export class HeraldError extends Error {
  override readonly name: string = "HeraldError";
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
