import type { IPPool, IPPoolSpec, IPPoolStatus } from "../api/ippool.ts";
import type { LabelSelector } from "../api/label-selector.ts";
import { API_VERSION } from "../api/names.ts";
import type { Speaker, SpeakerStatus } from "../api/speaker.ts";
import { integer, list, optionalText, record, text, textMap, texts } from "./raw.ts";
import { keepConditions, keepMeta, type Resource } from "./resource.ts";

export const ipPools: Resource<IPPool> = {
  kind: "IPPool",
  path: `/apis/${API_VERSION}/ippools`,
  keep: (raw) => {
    const { metadata, spec, status } = record(raw);
    return {
      meta: keepMeta(raw),
      generation: integer(record(metadata).generation),
      spec: keepPoolSpec(record(spec)),
      status: keepPoolStatus(record(status)),
    };
  },
};

export const speakers: Resource<Speaker> = {
  kind: "Speaker",
  path: `/apis/${API_VERSION}/speakers`,
  keep: (raw) => ({ meta: keepMeta(raw), status: keepSpeakerStatus(record(record(raw).status)) }),
};

type Raw = Readonly<Record<string, unknown>>;

function keepPoolSpec({ addresses, autoAssign, announce }: Raw): IPPoolSpec {
  return {
    addresses: [...texts(addresses)],
    autoAssign: autoAssign !== false,
    announce: announce === undefined ? [{ layer2: {} }] : list(announce).map(keepAnnounce),
  };
}

function keepAnnounce(raw: unknown): IPPoolSpec["announce"][number] {
  const { interfaces, nodeSelector } = record(record(raw).layer2);
  return {
    layer2: {
      ...(interfaces !== undefined && { interfaces: [...texts(interfaces)] }),
      ...(nodeSelector !== undefined && { nodeSelector: keepSelector(record(nodeSelector)) }),
    },
  };
}

function keepSelector({ matchLabels, matchExpressions }: Raw): LabelSelector {
  return {
    ...(matchLabels !== undefined && { matchLabels: { ...textMap(matchLabels) } }),
    ...(matchExpressions !== undefined && {
      matchExpressions: list(matchExpressions).map((raw) => {
        const { key, operator, values } = record(raw);
        return {
          key: text(key),
          // The API server lets no other operator in; what it might be selects nothing.
          operator: operator === "NotIn" || operator === "Exists" || operator === "DoesNotExist" ? operator : "In",
          values: [...texts(values)],
        };
      }),
    }),
  };
}

function keepPoolStatus({ ipv4, ipv6, conditions }: Raw): IPPoolStatus {
  return {
    ...(ipv4 !== undefined && { ipv4: keepUsage(record(ipv4)) }),
    ...(ipv6 !== undefined && { ipv6: keepUsage(record(ipv6)) }),
    ...(conditions !== undefined && { conditions: [...keepConditions(conditions)] }),
  };
}

function keepUsage({ total, assigned, available }: Raw): NonNullable<IPPoolStatus["ipv4"]> {
  return { total: integer(total), assigned: integer(assigned), available: integer(available) };
}

function keepSpeakerStatus({ version, incarnation, interfaces, layer2, conditions }: Raw): SpeakerStatus {
  const optional = (name: "version" | "incarnation", raw: unknown) => {
    const value = optionalText(raw);
    return value === undefined ? {} : { [name]: value };
  };
  return {
    ...optional("version", version),
    ...optional("incarnation", incarnation),
    ...(interfaces !== undefined && {
      interfaces: list(interfaces).map((raw) => {
        const { name, mac, subnets, defaultRoute } = record(raw);
        const interfaceSubnets = [...texts(subnets)];
        return { name: text(name), mac: text(mac), subnets: interfaceSubnets, defaultRoute: defaultRoute === true };
      }),
    }),
    ...(layer2 !== undefined && {
      layer2: {
        claims: list(record(layer2).claims).map((raw) => {
          const { interface: name, ips } = record(raw);
          return { interface: text(name), ips: [...texts(ips)] };
        }),
      },
    }),
    ...(conditions !== undefined && { conditions: [...keepConditions(conditions)] }),
  };
}
