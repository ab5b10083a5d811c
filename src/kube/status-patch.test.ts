import { expect, test } from "vitest";
import { ApiError } from "./api-error.ts";
import { type KubeRequest, MERGE_PATCH } from "./client.ts";
import { patchStatus } from "./status-patch.ts";

const PATH = "/api/v1/namespaces/ns/services/web";

/** One object; `meanwhile` runs before each PATCH arrives, as another writer would. */
function fakeObject(meanwhile: (object: { version: number }) => void = () => {}) {
  const object = { version: 1 };
  const sent: KubeRequest[] = [];
  const client = {
    async request<T>(request: KubeRequest): Promise<T> {
      sent.push(request);
      if (request.method === "GET") return { metadata: { resourceVersion: String(object.version) }, spec: {} } as T;
      meanwhile(object);
      const { metadata } = request.body as { metadata: { resourceVersion: string } };
      if (metadata.resourceVersion !== String(object.version)) throw new ApiError("PATCH", 409, { reason: "Conflict" });
      object.version++;
      return {} as T;
    },
  };
  return { client, sent, object };
}

test("writes on the very version it has seen, annotations and status together", async () => {
  const { client, sent } = fakeObject();
  const build = () => ({ metadata: { annotations: { "heraldlb.io/assigned-pool": "a" } }, status: { conditions: [] } });
  expect(await patchStatus(client, PATH, build)).toBe(true);
  expect(sent[1]).toEqual({
    method: "PATCH",
    unread: true,
    path: `${PATH}/status`,
    contentType: MERGE_PATCH,
    body: {
      metadata: { annotations: { "heraldlb.io/assigned-pool": "a" }, resourceVersion: "1" },
      status: { conditions: [] },
    },
  });
});

test("nothing to do: nothing is written", async () => {
  const { client, sent } = fakeObject();
  expect(await patchStatus(client, PATH, () => undefined)).toBe(false);
  expect(sent.map(({ method }) => method)).toEqual(["GET"]);
});

test("after a conflict it is built again from the object as it is now", async () => {
  let others = 2;
  const { client } = fakeObject((object) => {
    if (others-- > 0) object.version += 10;
  });
  const seen: unknown[] = [];
  const build = (current: Readonly<Record<string, unknown>>) => {
    seen.push(current.metadata);
    return { status: {} };
  };
  expect(await patchStatus(client, PATH, build)).toBe(true);
  expect(seen).toEqual([{ resourceVersion: "1" }, { resourceVersion: "11" }, { resourceVersion: "21" }]);
});

test("conflicts without end are left to the caller", async () => {
  const { client, sent } = fakeObject((object) => {
    object.version++;
  });
  await expect(patchStatus(client, PATH, () => ({ status: {} }))).rejects.toMatchObject({ status: 409 });
  expect(sent).toHaveLength(12);
});

test("an object that is gone needs no status", async () => {
  const client = { request: () => Promise.reject(new ApiError("GET", 404, { reason: "NotFound" })) };
  expect(await patchStatus(client, PATH, () => ({ status: {} }))).toBe(false);
});

test("other refusals are told", async () => {
  const client = { request: () => Promise.reject(new ApiError("GET", 403, { reason: "Forbidden" })) };
  await expect(patchStatus(client, PATH, () => ({}))).rejects.toThrow("config/rbac");
});
