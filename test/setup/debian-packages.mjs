/** The Debian packages that tests and the lab need, each with a command that it brings, and a service that it would start. */
export const LAB_PACKAGES = [
  { name: "iproute2", brings: "ip" },
  { name: "procps", brings: "sysctl" },
  { name: "nftables", brings: "nft" },
  { name: "iptables", brings: "iptables" },
  { name: "conntrack", brings: "conntrack" },
  { name: "tcpdump", brings: "tcpdump" },
  { name: "socat", brings: "socat" },
  { name: "iputils-ping", brings: "ping" },
  { name: "iputils-arping", brings: "arping" },
  { name: "ethtool", brings: "ethtool" },
  { name: "frr", brings: "/usr/lib/frr/bgpd", service: "frr" },
  { name: "bird2", brings: "bird", service: "bird" },
];

/** What the addon is built with. */
export const COMPILER = [{ name: "g++", brings: "g++" }];
