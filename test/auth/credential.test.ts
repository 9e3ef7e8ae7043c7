// Where a caller's key is looked for.
import { expect, test } from "vitest";
import { credentialOf, withoutCredentials } from "../../lib/auth/credential.ts";
import type { Call } from "../../lib/model/call.ts";

const call = (headers: Record<string, string>, query = ""): Call => ({
  method: "POST",
  path: "/v1/messages",
  query,
  headers,
  body: new Uint8Array(),
});

test.each([
  ["a bearer token", { authorization: "Bearer abc" }, ""],
  ["a bearer token, written otherwise", { authorization: "bearer   abc " }, ""],
  ["x-api-key", { "x-api-key": "abc" }, ""],
  ["x-goog-api-key", { "x-goog-api-key": "abc" }, ""],
  ["api-key", { "api-key": " abc " }, ""],
  ["?key=", {}, "key=abc"],
  ["?key= among others", {}, "alt=sse&key=abc&x=y"],
  ["?key=, percent-encoded", {}, "key=%61bc"],
  ["the one that is not empty", { "x-api-key": "", "api-key": "  ", authorization: "Bearer " }, "key=abc"],
  ["the bearer token first", { authorization: "Bearer abc", "x-api-key": "other" }, "key=other"],
  ["x-api-key before the query", { "x-api-key": "abc" }, "key=other"],
  ["not another scheme's", { authorization: "Basic other", "x-goog-api-key": "abc" }, ""],
])("%s", (_what, headers, query) => {
  expect(credentialOf(call(headers, query))).toBe("abc");
});

test.each([
  ["no header", {}, ""],
  ["another scheme", { authorization: "Basic abc" }, ""],
  ["a bare authorization", { authorization: "abc" }, ""],
  ["an empty query", {}, "key="],
  ["another parameter", {}, "apikey=abc&monkey=abc"],
])("none: %s", (_what, headers, query) => {
  expect(credentialOf(call(headers, query))).toBeUndefined();
});

test("a key or token that stands where a name belongs is not repeated, and of a key its id is left (F41)", () => {
  const id = "a1B2c3D4e5F6g7H8";
  const secret = "s".repeat(44);
  expect(withoutCredentials(`/keys/hdl_live_${id}_${secret}/rotate`)).toBe(`/keys/hdl_live_${id}…/rotate`);
  expect(withoutCredentials(`hdl_dev_${id}claimsclaims_${secret}`)).toBe(`hdl_dev_${id}…`);
  expect(withoutCredentials('["eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln-_x"]')).toBe('["…"]');
  for (const plain of [`hdl_live_${id}`, "eyJ", "a name", '{"hdl":1}']) expect(withoutCredentials(plain)).toBe(plain);
});
