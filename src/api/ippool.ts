import { type Static, Type } from "typebox";
import { ConditionsSchema, LabelSelectorSchema } from "./common-schemas.ts";
import type { CustomResource } from "./crd.ts";
import type { Meta } from "./objects.ts";

/** Fields with a default are never absent here: the API server fills them in, and so does `keepIPPool`. */
export const IPPoolSpecSchema = Type.Object(
  {
    addresses: Type.Array(
      Type.String({
        description:
          'A CIDR ("192.0.2.0/28"), a range ("192.0.2.10-192.0.2.20") or a single address, IPv4 or IPv6. All addresses of a CIDR are given out, also the first and the last.',
        maxLength: 96,
        "x-kubernetes-validations": addressRules(),
      }),
      {
        description: "What the pool gives out, in this order and the lowest first.",
        minItems: 1,
        maxItems: 256,
        "x-kubernetes-list-type": "set",
      },
    ),
    autoAssign: Type.Boolean({
      description: "Whether Services get an address from this pool without asking for it by name.",
      default: true,
    }),
    announce: Type.Array(
      Type.Object(
        {
          layer2: Type.Object(
            {
              interfaces: Type.Optional(
                Type.Array(Type.String({ minLength: 1, maxLength: 15 }), {
                  description:
                    "Names of the network interfaces to announce on. Absent: the interface whose subnet holds the address, else that of the default route.",
                  minItems: 1,
                  maxItems: 16,
                }),
              ),
              nodeSelector: Type.Optional(
                Type.Object(LabelSelectorSchema.properties, {
                  ...LabelSelectorSchema,
                  description: "Labels of the nodes that may announce. Absent: all nodes.",
                }),
              ),
            },
            { description: "One node answers ARP for each address (layer 2)." },
          ),
        },
        { description: "One way to announce." },
      ),
      {
        description:
          "How the network learns where the addresses are. An empty list: addresses are given out and not announced.",
        maxItems: 16,
        default: [{ layer2: {} }],
      },
    ),
  },
  { description: "What is wanted." },
);

export type IPPoolSpec = Static<typeof IPPoolSpecSchema>;

const UsageSchema = (family: string) =>
  Type.Object(
    {
      total: Type.Integer({ description: "Addresses in the pool.", minimum: 0 }),
      assigned: Type.Integer({ description: "Of these, held by Services.", minimum: 0 }),
      available: Type.Integer({ description: "Of these, free to be given out.", minimum: 0 }),
    },
    { description: `How full the pool is in ${family}; saturates at 2^53 - 1.` },
  );

export const IPPoolStatusSchema = Type.Object(
  {
    ipv4: Type.Optional(UsageSchema("IPv4")),
    ipv6: Type.Optional(UsageSchema("IPv6")),
    conditions: Type.Optional(ConditionsSchema),
  },
  { description: "What is: written by the controller." },
);

export type IPPoolStatus = Static<typeof IPPoolStatusSchema>;

/** Addresses to give to Services, and how to announce them. */
export interface IPPool {
  readonly meta: Meta;
  readonly generation: number;
  readonly spec: IPPoolSpec;
  readonly status: IPPoolStatus;
}

export const IPPoolResource: CustomResource = {
  kind: "IPPool",
  plural: "ippools",
  singular: "ippool",
  shortNames: ["hpool"],
  description: "Addresses that Herald gives to Services of type LoadBalancer, and how it announces them.",
  spec: IPPoolSpecSchema,
  status: IPPoolStatusSchema,
  columns: [
    {
      name: "Ready",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: "False: see the condition's message.",
    },
    {
      name: "IPv4 Used",
      type: "integer",
      jsonPath: ".status.ipv4.assigned",
      description: "Addresses held by Services.",
    },
    { name: "IPv4 Total", type: "integer", jsonPath: ".status.ipv4.total", description: "Addresses in the pool." },
    {
      name: "IPv6 Used",
      type: "integer",
      jsonPath: ".status.ipv6.assigned",
      description: "Addresses held by Services.",
    },
    { name: "IPv6 Total", type: "integer", jsonPath: ".status.ipv6.total", description: "Addresses in the pool." },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since it was made." },
  ],
};

/**
 * The rules that the API server holds each entry to. They say what ipam's validateIPPool says, as far as CEL
 * can: the order of an IPv6 range and overlaps are left to the controller, which sets the condition Ready to False.
 */
function addressRules() {
  const isRange = "!self.contains('/') && self.contains('-')";
  const ends = "self.split('-', 2)";
  const ip = (end: 0 | 1) => `${ends}[${end}].trim()`;
  const bothIPs = `isIP(${ip(0)}) && isIP(${ip(1)})`;
  const bothIPv4 = `${bothIPs} && ip(${ip(0)}).family() == 4 && ip(${ip(1)}).family() == 4`;
  const octet = (end: 0 | 1, at: number) => `int(${ip(end)}.split('.')[${at}])`;
  /** An IPv4 address as an integer; a comprehension over the octets would cost a hundred times the budget. */
  const number = (end: 0 | 1) => [0, 1, 2, 3].map((at) => `${octet(end, at)} * ${256 ** (3 - at)}`).join(" + ");
  const traps = "without leading zeros, zone id or IPv4-mapped IPv6";
  return [
    {
      rule: "self.contains('/') || self.contains('-') || isIP(self.trim())",
      messageExpression: `'"' + self + '" is not an address, a CIDR or a range; write one like "192.0.2.10", "192.0.2.0/28" or "192.0.2.10-192.0.2.20", ${traps}'`,
      message: "must be an address, a CIDR or a range",
    },
    {
      rule: "!self.contains('/') || isCIDR(self.trim())",
      messageExpression: `'"' + self + '" is not a CIDR; write one like "192.0.2.0/28" or "2001:db8::/112", ${traps}'`,
      message: "must be a CIDR",
    },
    {
      rule: "!isCIDR(self.trim()) || cidr(self.trim()) == cidr(self.trim()).masked()",
      messageExpression: `'"' + self + '" has host bits set; write the first address of the block, as in "192.0.2.0/28", or one address without a slash'`,
      message: "must be a CIDR without host bits",
    },
    {
      rule: `!(${isRange}) || ${bothIPs}`,
      messageExpression: `'"' + self + '" is not a range of two addresses; write one like "192.0.2.10-192.0.2.20", ${traps}'`,
      message: "must be a range of two addresses",
    },
    {
      rule: `!(${isRange} && ${bothIPs}) || ip(${ip(0)}).family() == ip(${ip(1)}).family()`,
      messageExpression: `'"' + self + '" mixes IPv4 and IPv6; make it two ranges of one family each'`,
      message: "must be a range of one family",
    },
    {
      rule: `!(${isRange} && ${bothIPv4}) || ${number(0)} <= ${number(1)}`,
      messageExpression: `'"' + self + '" starts after its end; swap the two addresses'`,
      message: "must be a range that starts before its end",
    },
  ];
}
