/** Writes config/crd from the schemas; with --check only compares, and exits 1 where a file is stale. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { stringify } from "yaml";
import { BGPPeerResource } from "./bgp-peer.ts";
import { crdOf } from "./crd.ts";
import { IPPoolResource } from "./ippool.ts";
import { GROUP } from "./names.ts";
import { SpeakerResource } from "./speaker.ts";

const directory = new URL("../../config/crd/", import.meta.url);

function read(file: URL): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

mkdirSync(directory, { recursive: true });
for (const resource of [BGPPeerResource, IPPoolResource, SpeakerResource]) {
  const name = `${GROUP}_${resource.plural}.yaml`;
  const file = new URL(name, directory);
  const text = `# Generated from src/api by \`npm run generate\`; edit the schema there.\n${stringify(crdOf(resource), { lineWidth: 120, aliasDuplicateObjects: false })}`;
  if (read(file) === text) continue;
  if (process.argv.includes("--check")) {
    console.error(`config/crd/${name} is stale; run \`npm run generate\``);
    process.exitCode = 1;
  } else {
    writeFileSync(file, text);
    console.log(`wrote config/crd/${name}`);
  }
}
