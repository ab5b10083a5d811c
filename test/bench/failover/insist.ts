import { ApiFailure } from "../../lab/api.ts";

const TRIES = 20;

/** Creates an object though the API server, busy with many such, lets some requests wait for too long. */
export async function insist(attempt: () => Promise<unknown>): Promise<void> {
  for (let left = TRIES; ; left--) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 409) return;
      if (left === 0) throw error;
    }
  }
}
