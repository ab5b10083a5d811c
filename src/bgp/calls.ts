import type { ExportPolicy, Global, Peer, Route } from "./model.ts";

/**
 * What can be asked of gobgpd. A list of calls is carried out in order, and stops at the first that fails: what is
 * left is found again by the next comparison. Each can be repeated without harm.
 */
export type Call =
  /** Ends all sessions; peers, routes and policies are gone then. */
  | { readonly do: "StopGlobal" }
  | { readonly do: "StartGlobal"; readonly global: Global }
  /** Takes nothing from any peer, and lets go of what was taken. */
  | { readonly do: "RejectImports" }
  /** Makes the policy for what leaves just this: default reject, foreign statements gone. Touches no session, and sends nothing by itself. */
  | { readonly do: "SetExports"; readonly exports: ExportPolicy }
  /** Has the routes sent to these again as the policy is now, and withdrawn what it holds back (soft reset out). */
  | { readonly do: "ResendTo"; readonly neighbors: readonly string[] }
  /** Adds routes, or replaces those of the same prefix without withdrawing them first. */
  | { readonly do: "AddRoutes"; readonly routes: readonly Route[] }
  /** Withdraws; a prefix that is not there is none to complain of. */
  | { readonly do: "DeleteRoutes"; readonly prefixes: readonly string[] }
  | { readonly do: "AddPeer"; readonly peer: Peer }
  /** Changes what goes without ending the session: timers (an open session keeps those it has agreed on) and BFD. */
  | { readonly do: "UpdatePeer"; readonly peer: Peer }
  /** Changes what is told in the OPEN or chosen when connecting: ends the session, and opens another. */
  | { readonly do: "ReplacePeer"; readonly peer: Peer }
  | { readonly do: "DeletePeer"; readonly neighbor: string };
