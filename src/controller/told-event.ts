/** An event that is worth telling of an object, before anybody has written it. */
export interface ToldEvent<Reason extends string = string> {
  readonly type: "Normal" | "Warning";
  readonly reason: Reason;
  /** The reason of the condition that it tells of. */
  readonly cause: string;
  readonly note: string;
}
