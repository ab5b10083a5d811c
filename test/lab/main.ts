/** `npm run lab`: brings the lab up, tells the story of a Service in it, and stays until Ctrl-C. */
import { parseArgs } from "node:util";
import { type Lab, startLab } from "./lab.ts";
import { PROXY_MODES, type ProxyMode } from "./proxy.ts";
import { type Figures, tellStory } from "./story.ts";
import { createTeller, type Teller } from "./teller.ts";
import { ms } from "./text.ts";

const USAGE = `Usage: npm run lab -- [--once] [--json] [--proxy-mode nftables|iptables]

Brings a bare-metal Kubernetes cluster up in network namespaces, installs Herald in it, and shows what it does, with what
it measures. Then it stays, to be played with (npm run lab:ctl -- --help), until Ctrl-C, and cleans up.

  --once               end after the story: exit code 0, or 1 where a step failed
  --json               print the measured figures as the last line
  --proxy-mode MODE    how kube-proxy forwards: nftables (default) or iptables
`;

const HINTS = `
The lab stays until Ctrl-C. Try, in another terminal:
  npm run lab:ctl -- status
  npm run lab:ctl -- kubectl get services,ippools,speakers,nodes
  npm run lab:ctl -- probe 192.0.2.200 10        and meanwhile:
  npm run lab:ctl -- power-off n2                (power-on n2)
  npm run lab:ctl -- kill-speaker n3             (start-speaker n3)
  npm run lab:ctl -- stop-api                    (start-api)
  npm run lab:ctl -- routes                      what FRR and BIRD have by BGP
  npm run lab:ctl -- kill-gobgpd n2              (start-gobgpd n2)
  npm run lab:ctl -- shell client
  npm run lab:ctl -- logs
  npm run lab:ctl -- --help
`;

interface Options {
  readonly once: boolean;
  readonly json: boolean;
  readonly proxyMode: ProxyMode;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      once: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      "proxy-mode": { type: "string", default: "nftables" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  const proxyMode = PROXY_MODES.find((mode) => mode === values["proxy-mode"]);
  if (proxyMode === undefined)
    throw new Error(`--proxy-mode ${values["proxy-mode"]}: give one of ${PROXY_MODES.join(", ")}`);
  return { once: values.once, json: values.json, proxyMode };
}

async function run(options: Options, interrupted: Promise<void>): Promise<number> {
  const teller = createTeller((text) => process.stdout.write(text), process.stdout.isTTY && !process.env.NO_COLOR);
  const figures: Figures = {};
  const begun = performance.now();
  teller.step(`A cluster of three nodes comes up, kube-proxy in ${options.proxyMode} mode`);
  let lab: Lab | undefined;
  let ok = false;
  interrupted.then(() => {
    if (lab === undefined) teller.say("interrupted: ends as soon as the cluster is up; Ctrl-C again ends it at once");
  });
  try {
    lab = await startLab({ proxyMode: options.proxyMode, progress: (what) => teller.say(what) });
    figures.upMs = performance.now() - begun;
    teller.done(`lab ${lab.topology.prefix.replace(/-$/, "")} is up after ${ms(figures.upMs)}`);
    ok = await story(lab, teller, figures, interrupted);
    if (!options.once && interrupts === 0) {
      process.stdout.write(HINTS);
      await interrupted;
    }
  } catch (error) {
    teller.failed(reason(error));
  }
  teller.step("Cleaning up");
  await lab?.stop();
  teller.done("nothing is left");
  if (options.json) process.stdout.write(`${JSON.stringify({ ok, ...figures }, rounded)}\n`);
  return ok ? 0 : 1;
}

/** True when every step went well; an interrupt counts as a failure, and ends it at once. */
async function story(lab: Lab, teller: Teller, figures: Figures, interrupted: Promise<void>): Promise<boolean> {
  try {
    const over = await Promise.race([tellStory(lab, teller, figures), interrupted.then(() => "interrupted")]);
    return over === undefined;
  } catch (error) {
    teller.failed(reason(error));
    if (interrupts > 0) return false;
    // The logs go with the lab; what they complain of stays on the screen.
    for (const one of [lab.herald.controller, ...lab.herald.speakers.values()])
      teller.say(`${one.name}: ${one.complaint()}`);
    return false;
  }
}

/** One line. After Ctrl-C, which ends the programs that run as well, whatever went wrong is the interrupt's doing. */
function reason(error: unknown): string {
  if (interrupts > 0) return "interrupted";
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").trim();
}

/** A tenth of a millisecond is more than any figure here is worth. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" ? Math.round(value * 10) / 10 : value;
}

const { promise: interrupted, resolve: interrupt } = Promise.withResolvers<void>();
let interrupts = 0;
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    interrupt();
    // The reaper cleans up all the same.
    if (++interrupts > 1) process.exit(130);
  });
}

try {
  process.exitCode = await run(readOptions(), interrupted);
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`lab: ${text}; see: npm run lab -- --help\n`);
  process.exitCode = 2;
}
process.exit();
