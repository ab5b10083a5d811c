import { defineConfig } from "vitest/config";

/**
 * unit: pure, no root, no cluster, no network; runs anywhere in seconds.
 * native: the packet socket in network namespaces; needs root.
 * cluster: against a real API server, one per file.
 * e2e: the product in the lab; one lab at a time, since it measures outages.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "test/model/**/*.test.ts", "test/sim/**/*.test.ts", "test/unit/**/*.test.ts"],
          // Nothing here waits for anything: the limit is for a machine that others keep busy.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: "native",
          include: ["native/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "cluster",
          include: ["test/cluster/**/*.test.ts", "test/reaper/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/lab/**/*.test.ts", "test/e2e/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
