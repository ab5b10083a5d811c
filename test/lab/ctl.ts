/** `npm run lab:ctl -- COMMAND`: lets a person play with the lab that `npm run lab` has started. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { COMMANDS } from "./commands.ts";
import { describeLab, sendCommand } from "./control.ts";
import { gobgpCommand } from "./gobgpd.ts";
import { inNetns } from "./netns.ts";
import { nodePlan, SPACES } from "./plan.ts";

function usage(): string {
  const own = Object.entries(COMMANDS).map(([name, { args, help }]) => [[name, ...args].join(" "), help] as const);
  const outside = [
    ["kubectl ...", "kubectl as the cluster's admin"],
    ["gobgp NODE ...", "gobgp, the command line of gobgpd, on a node's; Herald mends what it breaks"],
    ["vtysh ...", "FRR's command line, as in: vtysh -c 'show bgp summary'"],
    ["birdc ...", "BIRD's command line, as in: birdc show protocols"],
    ["shell PLACE [COMMAND...]", `a shell, or a command, in one of: ${SPACES.join(", ")}`],
  ] as const;
  const rows = [...own, ...outside].map(([left, help]) => `  ${left.padEnd(26)}${help}`);
  return `Usage: npm run lab:ctl -- [--lab NAME] COMMAND\n\nPlays with the lab that "npm run lab" has started: nodes n1, n2 and n3.\n\n${rows.join("\n")}\n\n--lab NAME chooses where several labs run.\n`;
}

/** Runs a program of the terminal's own in a namespace of the lab. */
async function interactive(
  netns: string,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const [file, ...args] = inNetns(netns, command);
  const child = spawn(file, args, { stdio: "inherit", env: { ...process.env, ...env } });
  process.on("SIGINT", () => {});
  const [code] = await once(child, "close");
  return (code as number | null) ?? 1;
}

async function main(words: readonly string[]): Promise<number> {
  const named = words[0] === "--lab";
  const name = named ? words[1] : undefined;
  const [command, ...args] = named ? words.slice(2) : words;
  if (command === undefined || command === "--help" || command === "-h" || command === "help") {
    process.stdout.write(usage());
    return command === undefined ? 2 : 0;
  }
  const outside = ["kubectl", "gobgp", "vtysh", "birdc", "shell"];
  if (!outside.includes(command)) {
    await sendCommand(name, [command, ...args], (text) => process.stdout.write(`${text}\n`));
    return 0;
  }
  const { prefix, directory, kubeconfig, kubectl } = await describeLab(name);
  if (command === "kubectl") return interactive(`${prefix}mgmt`, [kubectl, "--kubeconfig", kubeconfig, ...args], {});
  if (command === "gobgp") {
    const node = nodePlan(args[0] ?? "").name;
    return interactive(`${prefix}${node}`, gobgpCommand(directory, node, args.slice(1)), {});
  }
  const logs = join(directory, "logs");
  if (command === "vtysh")
    return interactive(`${prefix}rtr`, ["vtysh", "--vty_socket", join(logs, "frr"), ...args], {});
  if (command === "birdc") return interactive(`${prefix}bird`, ["birdc", "-s", join(logs, "bird.ctl"), ...args], {});
  const [place = "", ...run] = args;
  if (!SPACES.some((space) => space === place))
    throw new Error(`there is no place ${JSON.stringify(place)}; there are ${SPACES.join(", ")}`);
  const shell = run.length > 0 ? run : [process.env.SHELL ?? "/bin/sh"];
  return interactive(`${prefix}${place}`, shell, { PS1: `${place}# `, KUBECONFIG: kubeconfig });
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`lab:ctl: ${error instanceof Error ? error.message : error}\n`);
    process.exit(1);
  },
);
