import { expect, test } from "vitest";
import { ApiError } from "../../kube/api-error.ts";
import { SecretsReading } from "./secrets-reading.ts";

const FORBIDDEN = new ApiError("GET /api/v1/namespaces/herald/secrets", 403, {
  reason: "Forbidden",
  message: "secrets is forbidden",
});

test("Secrets that are not read yet are waited for, those that are refused are not, and it heals", () => {
  let read = false;
  const reading = new SecretsReading("herald", () => read);
  expect(reading.isOpen).toBe(true);
  expect(reading.failed(FORBIDDEN)).toBe(true);
  expect(reading.failed(FORBIDDEN)).toBe(false);
  expect(reading.isOpen).toBe(false);
  expect(reading.unread).toBe(
    "Secrets of namespace herald can't be read: GET /api/v1/namespaces/herald/secrets: 403 Forbidden: secrets is forbidden: give this user Herald's roles (config/rbac)",
  );
  read = true;
  expect(reading.unread).toBeUndefined();
});

test("what can't be read any more stays in use", () => {
  const reading = new SecretsReading("herald", () => true);
  expect(reading.failed(FORBIDDEN)).toBe(false);
  expect(reading).toMatchObject({ isOpen: false, unread: undefined });
});
