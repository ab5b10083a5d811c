/**
 * The messages of proto/gobgp.proto as @grpc/proto-loader gives and takes them (see gobgp-channel.ts for how): enums by
 * name, a message that is absent is null, 64-bit numbers as numbers. What is sent may leave out any field.
 */

export interface WireGlobal {
  readonly asn: number;
  readonly router_id: string;
  readonly listen_port: number;
}

export interface WireFamily {
  readonly afi: "AFI_IP" | "AFI_IP6";
  readonly safi: "SAFI_UNICAST";
}

export interface WirePeer {
  readonly conf: {
    readonly auth_password: string;
    readonly description: string;
    readonly local_asn: number;
    readonly neighbor_address: string;
    readonly peer_asn: number;
    readonly neighbor_interface: string;
    readonly admin_down: boolean;
  };
  readonly ebgp_multihop: { readonly enabled: boolean; readonly multihop_ttl: number };
  readonly state: WirePeerState;
  readonly timers: {
    readonly config: {
      readonly connect_retry: number;
      readonly hold_time: number;
      readonly keepalive_interval: number;
      readonly idle_hold_time_after_reset: number;
    };
    readonly state: {
      readonly keepalive_interval: number;
      readonly negotiated_hold_time: number;
      readonly uptime: { readonly seconds: number } | null;
    };
  };
  readonly transport: {
    readonly local_address: string;
    readonly passive_mode: boolean;
    readonly remote_port: number;
    readonly bind_interface: string;
  };
  readonly graceful_restart: { readonly enabled: boolean; readonly restart_time: number };
  readonly afi_safis: readonly {
    readonly mp_graceful_restart: { readonly config: { readonly enabled: boolean } };
    readonly config: { readonly family: WireFamily; readonly enabled: boolean };
    readonly state: { readonly received: number; readonly accepted: number; readonly advertised: number } | null;
  }[];
  /** null: a gobgpd that knows no BFD. */
  readonly bfd: {
    readonly enabled: boolean;
    readonly port: number;
    readonly desired_minimum_tx_interval: number;
    readonly required_minimum_receive: number;
    readonly detection_multiplier: number;
  } | null;
}

export interface WirePeerState {
  readonly messages: { readonly received: WireMessageCounts; readonly sent: WireMessageCounts };
  readonly neighbor_address: string;
  readonly session_state: string;
  readonly admin_state: string;
  readonly flops: number;
  readonly router_id: string;
  readonly bfd_state: { readonly session_state: string } | null;
}

interface WireMessageCounts {
  readonly notification: number;
  readonly update: number;
  readonly open: number;
}

export interface WireNlri {
  readonly prefix?: { readonly prefix_len: number; readonly prefix: string };
}

export interface WireAttribute {
  readonly origin?: { readonly origin: number };
  readonly next_hop?: { readonly next_hop: string };
  readonly multi_exit_disc?: { readonly med: number };
  readonly local_pref?: { readonly local_pref: number };
  readonly communities?: { readonly communities: readonly number[] };
  readonly mp_reach?: {
    readonly family: WireFamily;
    readonly next_hops: readonly string[];
    readonly nlris: readonly WireNlri[];
  };
  readonly large_communities?: { readonly communities: readonly WireLargeCommunity[] };
}

export interface WireLargeCommunity {
  readonly global_admin: number;
  readonly local_data1: number;
  readonly local_data2: number;
}

export interface WirePath {
  readonly nlri: WireNlri;
  readonly pattrs: readonly WireAttribute[];
  readonly family: WireFamily;
  readonly is_withdraw?: boolean;
  readonly neighbor_ip?: string;
}

export interface WireDestination {
  readonly prefix: string;
  readonly paths: readonly WirePath[];
}

export interface WireDefinedSet {
  readonly defined_type: "DEFINED_TYPE_NEIGHBOR" | "DEFINED_TYPE_LARGE_COMMUNITY";
  readonly name: string;
  readonly list: readonly string[];
}

interface WireMatchSet {
  readonly type: "TYPE_ANY" | "TYPE_ALL" | "TYPE_INVERT";
  readonly name: string;
}

export interface WireCommunityAction {
  readonly type: "TYPE_ADD" | "TYPE_REMOVE" | "TYPE_REPLACE";
  readonly communities: readonly string[];
}

export interface WireStatement {
  readonly name: string;
  readonly conditions: {
    readonly neighbor_set: WireMatchSet | null;
    readonly route_type: "ROUTE_TYPE_UNSPECIFIED" | "ROUTE_TYPE_LOCAL";
    readonly large_community_set: WireMatchSet | null;
    readonly afi_safi_in: readonly WireFamily[];
  };
  readonly actions: {
    readonly route_action: "ROUTE_ACTION_UNSPECIFIED" | "ROUTE_ACTION_ACCEPT" | "ROUTE_ACTION_REJECT";
    readonly community: WireCommunityAction | null;
    readonly med: { readonly type: "TYPE_REPLACE"; readonly value: number } | null;
    readonly nexthop: { readonly address: string } | null;
    readonly local_pref: { readonly value: number } | null;
    readonly large_community: WireCommunityAction | null;
  };
}

export interface WirePolicy {
  readonly name: string;
  readonly statements: readonly WireStatement[];
}

export interface WireAssignment {
  readonly name: string;
  readonly direction: "POLICY_DIRECTION_IMPORT" | "POLICY_DIRECTION_EXPORT";
  readonly policies: readonly WirePolicy[];
  readonly default_action: WireStatement["actions"]["route_action"];
}
