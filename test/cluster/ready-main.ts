/**
 * Ends with exit code 0 as soon as an API server is ready: node ready-main.ts SERVER CA-FILE, the token on standard
 * input. A process of its own, because the API server's address may be in another network namespace.
 */
import { readFileSync } from "node:fs";
import { Agent, get } from "node:https";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

const [server, caFile] = process.argv.slice(2) as [string, string];
const token = (await text(process.stdin)).trim();

// The namespace that everybody uses is made only after the server calls itself ready.
for (const path of ["/readyz", "/api/v1/namespaces/default"]) while (!(await answers(path))) await sleep(20);

async function answers(path: string): Promise<boolean> {
  let ca: string;
  try {
    ca = readFileSync(caFile, "utf8");
  } catch {
    return false;
  }
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` };
    const request = get(`${server}${path}`, { ca, headers, agent: new Agent(), timeout: 1000 }, (response) => {
      response.resume();
      response.once("close", () => resolve(response.statusCode === 200));
    });
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(false));
  });
}
