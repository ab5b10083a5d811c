/**
 * The rules that the API server holds the addresses of an IPPool to, in CEL. They say what ipam's checkPool says, as
 * far as CEL can and its budget goes: what they pass over (whatever depends on the order of IPv6 addresses, very long
 * lists of IPv6 entries) makes the controller set the condition Ready to False, with the same message.
 *
 * A rule may not fail on what another rule refuses, so those that look at several entries pass where one is not good.
 */

/** A rule of `x-kubernetes-validations`. */
export interface Rule {
  readonly rule: string;
  readonly messageExpression: string;
  /** Stands in where the expression's message would hold line breaks. */
  readonly message: string;
  /** Where the API server says that the mistake is. */
  readonly fieldPath?: string;
  /** Gives the rule an `oldSelf` that may be absent. */
  readonly optionalOldSelf?: true;
}

/** Of each entry by itself. */
export function entryRules(): readonly Rule[] {
  const entry = "self";
  const bothIPs = `isIP(${end(entry, 0)}) && isIP(${end(entry, 1)})`;
  const bothIPv4 = `${bothIPs} && !${entry}.contains(':')`;
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
      messageExpression: `'"%s" has host bits set; write %s, or %s for that address alone'.format([self, string(cidr(self.trim()).masked()), self.trim().split('/')[0]])`,
      message: "must be a CIDR without host bits",
    },
    {
      rule: `!(${isRange(entry)}) || ${bothIPs}`,
      messageExpression: `'"' + self + '" is not a range of two addresses; write one like "192.0.2.10-192.0.2.20", ${traps}'`,
      message: "must be a range of two addresses",
    },
    {
      rule: `!(${isRange(entry)} && ${bothIPs}) || ip(${end(entry, 0)}).family() == ip(${end(entry, 1)}).family()`,
      messageExpression: `'"' + self + '" mixes IPv4 and IPv6; make it two ranges of one family each'`,
      message: "must be a range of one family",
    },
    {
      rule: `!(${isRange(entry)} && ${bothIPv4}) || ${integer(end(entry, 0))} <= ${integer(end(entry, 1))}`,
      messageExpression: `'"' + self + '" starts after its end; swap the two addresses'`,
      message: "must be a range that starts before its end",
    },
  ];
}

/** Of the entries of `addresses` among themselves. */
export function overlapRules(): readonly Rule[] {
  return KINDS.map((kind) => {
    const list = all(kind, "self");
    const clashing = `size(l.filter(b, ${kind.overlap("a", "b")})) > 1`;
    const entries = `self.filter(e, ${kind.takes("e")} && ${kind.overlap(kind.of("e"), "a")})`;
    const text = `'"%s" overlaps spec.addresses[%s] "%s"; keep each address in one entry only'.format([c[1], string(self.indexOf(c[0])), c[0]])`;
    return {
      rule: `${UNCHANGED} || !${areGood("self")} || [${list}].all(l, size(l) > ${kind.most} || !l.exists(a, ${clashing}))`,
      messageExpression: `[${list}].map(l, [l.filter(a, ${clashing})[0]].map(a, [${entries}].map(c, ${text})[0])[0])[0]`,
      optionalOldSelf: true,
      message: "must not overlap each other; keep each address in one entry only",
    };
  });
}

/** Of the spec: what `exclude` and `announce` have to do with `addresses`. */
export function poolRules(): readonly Rule[] {
  return [excludeRule(SPANS), excludeRule(BLOCKS), aggregationRule(SPANS), aggregationRule(BLOCKS)];
}

function excludeRule(kind: Kind): Rule {
  const list = all(kind, "self.addresses");
  const excluded = all(kind, "self.exclude");
  const isIdle = (a: string) => `!l.exists(b, ${kind.overlap(a, "b")})`;
  const decides = [areGood("self.addresses"), areGood("self.exclude"), `!self.addresses.exists(e, ${kind.passesOver})`];
  return {
    rule: `${UNCHANGED} || !(${decides.join(" && ")}) || [${list}].all(l, [${excluded}].all(x, size(l) * size(x) > ${kind.most ** 2} || !x.exists(a, ${isIdle("a")})))`,
    messageExpression: `[${list}].map(l, '"' + self.exclude.filter(e, ${kind.takes("e")} && [${kind.of("e")}].all(a, ${isIdle("a")}))[0] + '" has no address of the pool; correct it, or remove it')[0]`,
    optionalOldSelf: true,
    message: "must have addresses of the pool",
    fieldPath: ".exclude",
  };
}

function aggregationRule(kind: Kind): Rule {
  const list = all(kind, "self.addresses");
  const reaches = `!(${kind.holdsBlocks("a", `n.bgp.${kind.aggregation}`)})`;
  const reaching = `self.addresses.filter(e, ${kind.takes("e")} && [${kind.of("e")}].exists(a, ${reaches}))[0]`;
  const shortest = `l.map(a, ${kind.shortest("a")}).max()`;
  const text = `'${kind.aggregation} %s is wider than "%s": its routes would reach beyond; write at least %s'.format([string(n.bgp.${kind.aggregation}), ${reaching}, string(${shortest})])`;
  return {
    rule: `${UNCHANGED} || !${areGood("self.addresses")} || [${list}].all(l, self.announce.all(n, !has(n.bgp) || !l.exists(a, ${reaches})))`,
    messageExpression: `[${list}].map(l, self.announce.filter(n, has(n.bgp) && l.exists(a, ${reaches})).map(n, ${text})[0])[0]`,
    optionalOldSelf: true,
    message: `${kind.aggregation} must not be wider than the entries of addresses`,
    fieldPath: ".announce",
  };
}

/** Spares the API server the work where the status or the metadata is written: of 256 entries a quarter of a second. */
const UNCHANGED = "oldSelf.hasValue() && oldSelf.value() == self";

/** Entries that CEL can compare with each other. */
interface Kind {
  /** The most of them that the API server has the budget to compare. */
  readonly most: number;
  readonly takes: (entry: string) => string;
  /** Its value, of a type that the others take. */
  readonly of: (entry: string) => string;
  /** Tells of an entry `e` whether it has addresses of this family, and yet is not taken. */
  readonly passesOver: string;
  readonly overlap: (a: string, b: string) => string;
  readonly aggregation: "aggregationLength" | "aggregationLengthV6";
  /** Tells whether the blocks of a prefix length that have addresses of `a` have no others. */
  readonly holdsBlocks: (a: string, length: string) => string;
  /** The shortest length of which that is so. */
  readonly shortest: (a: string) => string;
}

/** Number of addresses in an IPv4 block, by prefix length. */
const SIZES = `[${Array.from({ length: 33 }, (_, length) => 2 ** (32 - length)).join(", ")}]`;
const LENGTHS = `[${Array.from({ length: 33 }, (_, length) => length).join(", ")}]`;

/** IPv4: the first and the last address as integers. */
const SPANS: Kind = {
  most: 256,
  takes: (entry) => `!${entry}.contains(':')`,
  of: (entry) => {
    const first = integer(`${entry}.split('/')[0].split('-')[0].trim()`);
    const size = `${SIZES}[cidr(${entry}.trim()).prefixLength()]`;
    const last = integer(`${entry}.split('-')[size(${entry}.split('-')) - 1].trim()`);
    return `[${first}, ${entry}.contains('/') ? ${first} + ${size} - 1 : ${last}]`;
  },
  passesOver: "false",
  overlap: (a, b) => `${a}[0] <= ${b}[1] && ${b}[0] <= ${a}[1]`,
  aggregation: "aggregationLength",
  holdsBlocks: (a, length) => `${a}[0] % ${SIZES}[${length}] == 0 && (${a}[1] + 1) % ${SIZES}[${length}] == 0`,
  shortest: (a) => `${LENGTHS}.filter(i, ${SPANS.holdsBlocks(a, "i")})[0]`,
};

/** IPv6: blocks, of one address too. CEL can't tell what lies between the ends of a range. */
const BLOCKS: Kind = {
  most: 128,
  takes: (entry) => `${entry}.contains(':') && !${entry}.contains('-')`,
  of: (entry) => `cidr(${entry}.contains('/') ? ${entry}.trim() : ${entry}.trim() + '/128')`,
  passesOver: "e.contains(':') && e.contains('-')",
  overlap: (a, b) => `(${a}.containsCIDR(${b}) || ${b}.containsCIDR(${a}))`,
  aggregation: "aggregationLengthV6",
  holdsBlocks: (a, length) => `${a}.prefixLength() <= ${length}`,
  shortest: (a) => `${a}.prefixLength()`,
};

const KINDS = [SPANS, BLOCKS];

/** The values of those entries of a list that are of a kind. */
function all(kind: Kind, list: string): string {
  return `${list}.filter(e, ${kind.takes("e")}).map(e, ${kind.of("e")})`;
}

/** Tells whether no entry of a list would make the functions fail that look at several. */
function areGood(list: string): string {
  const isBlock = "isCIDR(e.trim()) && cidr(e.trim()) == cidr(e.trim()).masked()";
  const areEnds = `e.contains('-') && isIP(${end("e", 0)}) && isIP(${end("e", 1)})`;
  return `${list}.all(e, e.contains('/') ? ${isBlock} : isIP(e.trim()) || ${areEnds})`;
}

function isRange(entry: string): string {
  return `!${entry}.contains('/') && ${entry}.contains('-')`;
}

/** The start or the end of a range. */
function end(range: string, which: 0 | 1): string {
  return `${range}.split('-', 2)[${which}].trim()`;
}

/** An IPv4 address as an integer; a comprehension over the octets would cost a hundred times the budget. */
function integer(ip: string): string {
  return [0, 1, 2, 3].map((at) => `int(${ip}.split('.')[${at}]) * ${256 ** (3 - at)}`).join(" + ");
}
