import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";

const CONFIG = new URL("../../../config/", import.meta.url).pathname;

/** How Node.js runs in a role's container. */
export interface Container {
  /** The variables that the manifest gives a text. */
  readonly env: Readonly<Record<string, string>>;
  /** Those of its command, and what makes up for the memory limit, of which Node.js takes half for its heap. */
  readonly nodeFlags: readonly string[];
}

interface Manifest {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly [
          {
            /** The image's own, without flags, where there is none. */
            readonly command?: readonly ["node", ...flags: string[], main: string];
            readonly env: readonly { readonly name: string; readonly value?: string }[];
            readonly resources: { readonly limits: { readonly memory: string } };
          },
        ];
      };
    };
  };
}

/** Reads what the manifest of a role says of its container. */
export async function readContainer(role: "controller" | "speaker"): Promise<Container> {
  const { spec }: Manifest = parse(await readFile(join(CONFIG, role, `${role}.yaml`), "utf8"));
  const [{ command = [], env, resources }] = spec.template.spec.containers;
  const { memory } = resources.limits;
  const [, memoryMiB] = /^(\d+)Mi$/.exec(memory) ?? [];
  if (memoryMiB === undefined) throw new Error(`the ${role}'s memory limit is ${memory}, not in Mi`);
  return {
    env: Object.fromEntries(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value] as const]))),
    nodeFlags: [...command.slice(1, -1), `--max-heap-size=${Number(memoryMiB) / 2}`],
  };
}
