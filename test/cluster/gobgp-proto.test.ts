import { join } from "node:path";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { expect, test } from "vitest";
import { command } from "../setup/run.mjs";
import { run } from "./run.ts";

/** The parts of a DescriptorProto and an EnumDescriptorProto that are looked at. */
interface Descriptor {
  readonly name: string;
  readonly field?: readonly Field[];
  readonly oneofDecl?: readonly { readonly name: string }[];
  readonly value?: readonly { readonly name: string; readonly number: number }[];
  readonly enumType?: readonly Descriptor[];
  readonly nestedType?: readonly Descriptor[];
}

interface Field {
  readonly name: string;
  readonly number: number;
  readonly type: string;
  readonly typeName: string;
  readonly label: string;
  readonly oneofIndex?: number;
}

/** Lists what a package defines, one line for each field, enum value and call. */
function linesOf(definition: PackageDefinition): string[] {
  return Object.entries(definition).flatMap(([name, one]) => {
    if ("format" in one) return linesIn(name, one.type as Descriptor);
    return Object.entries(one).map(([method, { requestType, responseType, requestStream, responseStream }]) => {
      const types = [requestType, responseType].map(({ type }) => (type as Descriptor).name);
      return `call ${method}: ${types.join(" -> ")}, streams: ${requestStream} -> ${responseStream}`;
    });
  });
}

function linesIn(name: string, descriptor: Descriptor): string[] {
  const { field = [], oneofDecl = [], value = [], enumType = [], nestedType = [] } = descriptor;
  return [
    ...value.map((one) => `${name}: ${one.name} = ${one.number}`),
    ...field.map((one) => {
      const oneof = one.oneofIndex === undefined ? "" : ` of ${oneofDecl[one.oneofIndex]?.name}`;
      return `${name}: ${one.label} ${one.typeName.split(".").at(-1) || one.type} ${one.name} = ${one.number}${oneof}`;
    }),
    ...[...enumType, ...nestedType].flatMap((inner) => linesIn(`${name}.${inner.name}`, inner)),
  ];
}

test("proto/ has nothing that the pinned gobgpd has not, and nothing otherwise", async () => {
  const download = ["-C", import.meta.dirname, "mod", "download", "-json", "github.com/osrg/gobgp/v4"];
  const source = JSON.parse(await run([command("go") ?? "go", ...download], { env: process.env })).Dir;
  const theirs = loadSync("api/gobgp.proto", { keepCase: true, includeDirs: [join(source, "proto")] });
  const ours = loadSync(join(import.meta.dirname, "../../proto/gobgp.proto"), { keepCase: true });
  const known = new Set(linesOf(theirs));
  const mine = linesOf(ours);
  expect(mine).toContain("api.WatchEventResponse.PeerEvent.Type: TYPE_STATE = 3");
  expect(mine).toContain("api.Attribute: LABEL_OPTIONAL NextHopAttribute next_hop = 4 of attr");
  expect(mine.filter((line) => !known.has(line))).toEqual([]);
});
