import * as https from "node:https";
import { http } from "./http.ts";

/**
 * Asks a URL and gives the HTTP status of the answer. No redirect is followed, and nothing read besides. Rejects where no
 * answer comes, or when aborted.
 */
export function statusOf(url: string, signal: AbortSignal): Promise<number> {
  const { get } = url.startsWith("https:") ? https : http;
  return new Promise((resolve, reject) => {
    const sent = get(url, { signal, agent: false }, (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    sent.on("error", reject);
  });
}
