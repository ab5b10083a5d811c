import { mkdir, readdir } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Reaper } from "../reaper/reaper.ts";
import { runCommand } from "./commands.ts";
import type { Lab } from "./lab.ts";

/** Where running labs listen: one socket each, named for the lab's prefix. */
const SOCKETS = "/run/herald-lab";

/** What a command needs that runs outside of the lab's process. */
export interface LabDescription {
  readonly prefix: string;
  readonly directory: string;
  readonly kubeconfig: string;
  readonly kubectl: string;
}

type Request = { readonly command: readonly string[] } | { readonly describe: true };
/** One JSON object a line; `end` is the last: an error's text, or null. */
type Response = { readonly print: string } | { readonly description: LabDescription } | { readonly end: string | null };

/** Lets commands reach the lab through a Unix socket. */
export async function serveCommands(lab: Lab, description: LabDescription, reaper: Reaper): Promise<void> {
  await mkdir(SOCKETS, { recursive: true, mode: 0o700 });
  const path = join(SOCKETS, `${description.prefix.replace(/-$/, "")}.sock`);
  reaper.directory(path);
  const server = createServer((socket) => serve(lab, description, socket));
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  server.unref();
}

function serve(lab: Lab, description: LabDescription, socket: Socket): void {
  socket.unref();
  socket.on("error", () => {});
  const say = (response: Response) => socket.write(`${JSON.stringify(response)}\n`);
  createInterface({ input: socket }).on("line", async (line) => {
    const request = JSON.parse(line) as Request;
    try {
      if ("describe" in request) say({ description });
      else await runCommand(lab, request.command, (print) => say({ print }));
      say({ end: null });
    } catch (error) {
      say({ end: error instanceof Error ? error.message : String(error) });
    }
    socket.end();
  });
}

/** Runs a command in the one lab that runs, or in the one named; throws with what went wrong. */
export async function sendCommand(
  name: string | undefined,
  command: readonly string[],
  print: (text: string) => void,
): Promise<void> {
  await talk(await findLab(name), { command }, (response) => {
    if ("print" in response) print(response.print);
  });
}

/** Gives what is needed to work with a running lab from outside. */
export async function describeLab(name: string | undefined): Promise<LabDescription> {
  let description: LabDescription | undefined;
  await talk(await findLab(name), { describe: true }, (response) => {
    if ("description" in response) description = response.description;
  });
  if (description === undefined) throw new Error("the lab ended");
  return description;
}

async function findLab(name: string | undefined): Promise<Socket> {
  const files = await readdir(SOCKETS).catch(() => [] as string[]);
  const names = files.filter((file) => file.endsWith(".sock")).map((file) => file.slice(0, -".sock".length));
  const live: { name: string; socket: Socket }[] = [];
  for (const one of names.sort()) {
    if (name !== undefined && one !== name) continue;
    const socket = await connectTo(join(SOCKETS, `${one}.sock`));
    if (socket !== undefined) live.push({ name: one, socket });
  }
  const [first, ...others] = live;
  if (first === undefined)
    throw new Error(
      name === undefined ? "no lab is running; start one with: npm run lab" : `no lab ${name} is running`,
    );
  if (others.length === 0) return first.socket;
  for (const { socket } of live) socket.destroy();
  throw new Error(`several labs are running; choose one with --lab: ${live.map((one) => one.name).join(", ")}`);
}

function connectTo(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path, () => resolve(socket));
    socket.once("error", () => resolve(undefined));
  });
}

async function talk(socket: Socket, request: Request, hear: (response: Response) => void): Promise<void> {
  socket.write(`${JSON.stringify(request)}\n`);
  for await (const line of createInterface({ input: socket })) {
    const response = JSON.parse(line) as Response;
    if (!("end" in response)) {
      hear(response);
      continue;
    }
    if (response.end !== null) throw new Error(response.end);
    return;
  }
  throw new Error("the lab ended before it answered");
}
