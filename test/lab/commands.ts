import { isIP } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiObject } from "./api.ts";
import type { Lab } from "./lab.ts";
import type { LabProcess } from "./lab-process.ts";
import { holderOfMac, NODE_NAMES, type NodeName, nodePlan } from "./plan.ts";
import { shortUdpReport, table } from "./text.ts";

/** A command that a person gives to a running lab. */
export interface Command {
  /** The arguments, for the help; "NODE" and "POD" are checked for being there. */
  readonly args: readonly string[];
  readonly help: string;
  readonly run: (lab: Lab, args: readonly string[], print: (text: string) => void) => Promise<void>;
}

const onNode = (
  help: string,
  act: (lab: Lab, node: NodeName) => Promise<unknown> | unknown,
  done: string,
): Command => ({
  args: ["NODE"],
  help,
  run: async (lab, [name], print) => {
    const node = nodePlan(name ?? "").name;
    await act(lab, node);
    print(`${node}: ${done}`);
  },
});

const onPod = (help: string, ready: boolean): Command => ({
  args: ["POD"],
  help,
  run: async (lab, [name = ""], print) => {
    await lab.faults.setReady(name, ready);
    print(`pod ${name}: its readiness probe ${ready ? "succeeds" : "fails"} from now on`);
  },
});

const plain = (help: string, act: (lab: Lab) => Promise<unknown>, done: string): Command => ({
  args: [],
  help,
  run: async (lab, _, print) => {
    await act(lab);
    print(done);
  },
});

export const COMMANDS: Readonly<Record<string, Command>> = {
  status: { args: [], help: "nodes, Services, and who answers ARP for their addresses", run: status },
  probe: { args: ["IP", "[SECONDS]"], help: "send UDP from the client each 1 ms, and say what was lost", run: probe },
  "power-off": onNode(
    "both NICs go silent, then all that runs there dies",
    (lab, node) => lab.faults.powerOff(node),
    "off",
  ),
  "power-on": onNode("the node boots; what ran there starts again", (lab, node) => lab.faults.powerOn(node), "on"),
  "cut-data": onNode("unplug eth0", (lab, node) => lab.faults.cut(node, "data"), "eth0 unplugged"),
  "join-data": onNode("plug eth0 in", (lab, node) => lab.faults.join(node, "data"), "eth0 plugged in"),
  "cut-mgmt": onNode(
    "unplug mgmt0: the node loses the API server",
    (lab, node) => lab.faults.cut(node, "management"),
    "mgmt0 unplugged",
  ),
  "join-mgmt": onNode("plug mgmt0 in", (lab, node) => lab.faults.join(node, "management"), "mgmt0 plugged in"),
  block: onNode(
    "the switch drops all frames of eth0; the link stays up",
    (lab, node) => lab.faults.block(node, true),
    "blocked",
  ),
  unblock: onNode("the switch forwards them again", (lab, node) => lab.faults.block(node, false), "forwarding"),
  "filter-hellos": plain(
    "the switch drops what speakers say to each other",
    (lab) => lab.faults.filterHellos(NODE_NAMES),
    "filtered",
  ),
  "pass-hellos": plain("the switch forwards it again", (lab) => lab.faults.filterHellos([]), "forwarding"),
  "kill-speaker": onNode("SIGKILL", (lab, node) => running(lab, node, "speaker").stop("SIGKILL"), "speaker killed"),
  "term-speaker": onNode(
    "SIGTERM, and wait for its end",
    (lab, node) => running(lab, node, "speaker").stop("SIGTERM"),
    "speaker ended",
  ),
  "stop-speaker": onNode(
    "SIGSTOP: it hangs",
    (lab, node) => running(lab, node, "speaker").signal("SIGSTOP"),
    "speaker stopped",
  ),
  "cont-speaker": onNode(
    "SIGCONT: it goes on",
    (lab, node) => running(lab, node, "speaker").signal("SIGCONT"),
    "speaker goes on",
  ),
  "start-speaker": onNode(
    "start it after kill- or term-speaker",
    (lab, node) => start(lab, node, "speaker"),
    "speaker started",
  ),
  "kill-gobgpd": onNode("SIGKILL", (lab, node) => running(lab, node, "gobgpd").stop("SIGKILL"), "gobgpd killed"),
  "stop-gobgpd": onNode(
    "SIGSTOP: it hangs",
    (lab, node) => running(lab, node, "gobgpd").signal("SIGSTOP"),
    "gobgpd stopped",
  ),
  "cont-gobgpd": onNode(
    "SIGCONT: it goes on",
    (lab, node) => running(lab, node, "gobgpd").signal("SIGCONT"),
    "gobgpd goes on",
  ),
  "start-gobgpd": onNode("start it after kill-gobgpd", (lab, node) => start(lab, node, "gobgpd"), "gobgpd started"),
  "restart-router": {
    args: ["ROUTER"],
    help: "rtr (FRR) or bird (BIRD) dies, and comes back",
    run: async (lab, [name = ""], print) => {
      const router = lab.routers.find((one) => one.plan.name === name);
      if (router === undefined) throw new Error(`there is no router ${JSON.stringify(name)}; there are rtr and bird`);
      await router.restart();
      print(`${router.software} is back`);
    },
  },
  routes: { args: [], help: "the routers' BGP sessions, and the routes that they got by them", run: routes },
  "stop-api": plain("kill the API server", (lab) => lab.controlPlane.stopApiServer(), "the API server is gone"),
  "start-api": plain(
    "start it again, with the same data",
    (lab) => lab.controlPlane.startApiServer(),
    "the API server is ready",
  ),
  drain: onNode(
    "cordon it and evict its pods (not the speaker: it is a DaemonSet's)",
    (lab, node) => lab.faults.drain(node),
    "drained",
  ),
  undrain: onNode("take the cordon away", (lab, node) => lab.faults.undrain(node), "takes pods again"),
  evacuate: onNode(
    "label it so that its speaker gives its addresses away",
    (lab, node) => lab.faults.evacuate(node, true),
    "evacuating",
  ),
  "end-evacuation": onNode(
    "take the label away",
    (lab, node) => lab.faults.evacuate(node, false),
    "takes addresses again",
  ),
  unready: onPod("make a pod's readiness probe fail", false),
  ready: onPod("make it succeed again", true),
  "add-pod": {
    args: ["POD", "NODE"],
    help: "run one more pod of the demo Service on a node",
    run: async (lab, [name = "", node = ""], print) => {
      await lab.createPod({ name, node: nodePlan(node).name });
      print(`pod ${name} on ${node}`);
    },
  },
  logs: {
    args: [],
    help: "where the logs are",
    run: async (lab, _, print) => print(`${lab.directory}/logs`),
  },
};

/** A container of the speaker's Pod. */
type Container = "speaker" | "gobgpd";

function running(lab: Lab, node: NodeName, container: Container): LabProcess {
  lab.faults.assertOn(node);
  const one = lab.herald[container](node);
  if (!one.running) throw new Error(`${one.name} is not running; start-${container} ${node} starts it`);
  return one;
}

async function start(lab: Lab, node: NodeName, container: Container): Promise<void> {
  lab.faults.assertOn(node);
  const one = lab.herald[container](node);
  if (one.running) throw new Error(`${one.name} is ${one.state} already`);
  await one.start();
}

async function routes(lab: Lab, _: readonly string[], print: (text: string) => void): Promise<void> {
  for (const router of lab.routers) {
    const sessions = await router.sessions();
    const rows = sessions.map(({ address, established }) => [address, established ? "established" : "not established"]);
    print(table([`${router.software}'S SESSIONS`, ""], rows));
    const kernel = [...router.table.routes].map(([prefix, via]) => [prefix, via.join(", ")]);
    print(table([`${router.software}'S KERNEL`, "NEXT HOPS"], kernel.sort()));
  }
}

/** Runs a command; throws, with the remedy, where it is called wrongly. */
export async function runCommand(lab: Lab, words: readonly string[], print: (text: string) => void): Promise<void> {
  const [name = "", ...args] = words;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined)
    throw new Error(`there is no command ${JSON.stringify(name)}; see: npm run lab:ctl -- --help`);
  const least = command.args.filter((arg) => !arg.startsWith("[")).length;
  if (args.length < least || args.length > command.args.length)
    throw new Error(`usage: ${[name, ...command.args].join(" ")}`);
  await command.run(lab, args, print);
}

/** For the time when the API server is away. */
const seenServices = new WeakMap<Lab, readonly ApiObject[]>();

async function status(lab: Lab, _: readonly string[], print: (text: string) => void): Promise<void> {
  print(
    table(
      ["NODE", "POWER", "CABLES", "KUBERNETES", "SPEAKER", "GOBGPD", "KUBE-PROXY", "DATA MAC"],
      await nodeRows(lab),
    ),
  );
  const services = await lab.api.get("/api/v1/services").catch(() => undefined);
  if (services === undefined) print("The API server does not answer; Services are as they were last seen.");
  else seenServices.set(lab, services.items);
  const balanced = (seenServices.get(lab) ?? []).filter((service) => service.spec.type === "LoadBalancer");
  if (balanced.length === 0) return print("no Service of type LoadBalancer");
  const ipsOf = (service: ApiObject): string[] =>
    (service.status.loadBalancer?.ingress ?? []).map((one: ApiObject) => one.ip);
  const answers = await lab.whoAnswers(balanced.flatMap(ipsOf));
  const rows: string[][] = [];
  for (const service of balanced) {
    const name = `${service.metadata.namespace}/${service.metadata.name}`;
    const ips = ipsOf(service);
    if (ips.length === 0) rows.push([name, "none yet", "", ""]);
    for (const ip of ips) {
      const macs = answers.get(ip) ?? [];
      rows.push([name, ip, macs.map(withHolder).join(" AND ") || "nobody", withHolder(await lab.neighbour(ip))]);
    }
  }
  print(table(["SERVICE", "ADDRESS", "ANSWERS", "CLIENT'S NEIGHBOUR TABLE"], rows));
}

function withHolder(mac: string | undefined): string {
  return mac === undefined ? "-" : `${holderOfMac(mac) ?? "?"} (${mac})`;
}

async function nodeRows(lab: Lab): Promise<string[][]> {
  const nodes = await lab.api.get("/api/v1/nodes").catch(() => undefined);
  return NODE_NAMES.map((name) => {
    const node = nodes?.items.find((one: ApiObject) => one.metadata.name === name);
    const condition = node?.status.conditions?.find((one: ApiObject) => one.type === "Ready")?.status;
    const ready = condition === undefined ? "unknown" : condition === "True" ? "Ready" : "NotReady";
    return [
      name,
      lab.faults.isOff(name) ? "OFF" : "on",
      lab.faults.cableFaults(name).join(", ") || "ok",
      ready + (node?.spec.unschedulable ? ", cordoned" : ""),
      lab.herald.speaker(name).state,
      lab.herald.gobgpd(name).state,
      lab.kubeProxies.get(name)?.state ?? "not running",
      nodePlan(name).data.mac,
    ];
  });
}

async function probe(
  lab: Lab,
  [ip = "", seconds = "5"]: readonly string[],
  print: (text: string) => void,
): Promise<void> {
  if (isIP(ip) === 0) throw new Error(`${ip}: give an IP address`);
  const duration = Number(seconds);
  if (!(duration > 0 && duration <= 3600)) throw new Error(`${seconds}: give the seconds as a number from 1 to 3600`);
  const running = await lab.udpProbe({ ip, port: 80 });
  print(`probing ${ip} port 80 for ${duration} s`);
  await sleep(duration * 1000);
  print(shortUdpReport(await running.stop()));
}
