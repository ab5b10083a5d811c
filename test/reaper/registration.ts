/** What the reaper undoes: one JSON object a line on its input. */
export type Registration =
  | { readonly what: "process"; readonly pid: number; readonly started: string; readonly group: boolean }
  | { readonly what: "netns"; readonly name: string }
  | { readonly what: "mount"; readonly path: string }
  | { readonly what: "directory"; readonly path: string }
  | { readonly what: "link"; readonly name: string };

/** The reaper's last line: what it could not undo, and why. */
export interface Report {
  readonly left: readonly string[];
}
