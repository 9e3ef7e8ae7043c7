// What the adapter reads of a request: place, headers, body, and who App Service says has signed in.
import { createRequire } from "node:module";
import type { HttpRequest } from "@azure/functions";
import { describe, expect, test } from "vitest";
import { headersOf, identityOf, readBody, receive } from "../../../functions/azure/request.ts";
import { createRoom } from "../../../functions/azure/room.ts";

const { HttpRequest: Request } = createRequire(import.meta.url)("@azure/functions") as {
  HttpRequest: new (init: Record<string, unknown>) => HttpRequest;
};

const requestOf = (url: string, headers: Record<string, string> = {}, body?: Uint8Array | string): HttpRequest =>
  new Request({ url, method: body === undefined ? "GET" : "POST", headers, ...(body && { body: bodyOf(body) }) });
const bodyOf = (body: Uint8Array | string) => (typeof body === "string" ? { string: body } : { bytes: body });

const principal = (change: Record<string, unknown> = {}): string =>
  Buffer.from(
    JSON.stringify({
      auth_typ: "aad",
      name_typ: "name",
      role_typ: "roles",
      claims: [
        { typ: "http://schemas.microsoft.com/identity/claims/objectidentifier", val: "object-1" },
        { typ: "tid", val: "directory-1" },
        { typ: "name", val: "Penelope" },
        { typ: "roles", val: "weaver" },
        { typ: "roles", val: "reader" },
        { typ: "scp", val: 7 },
      ],
      ...change,
    }),
  ).toString("base64");

describe("a call", () => {
  test.each([
    ["https://app.example/v1/models", "/v1/models", ""],
    ["https://app.example/v1/models?a=1&b=%20", "/v1/models", "a=1&b=%20"],
    ["https://app.example/v1/models/a%2Fb?x=?y", "/v1/models/a%2Fb", "x=?y"],
    ["https://app.example", "/", ""],
    ["https://app.example/?key=a/b", "/", "key=a/b"],
  ])("of %s", (url, path, query) => {
    expect(receive(requestOf(url), {})).toMatchObject({ method: "GET", path, query });
  });

  test("holds none of App Service's own headers: without its authentication they are anybody's", () => {
    const headers = headersOf(
      requestOf("https://app.example/", {
        "X-MS-CLIENT-PRINCIPAL": principal(),
        "x-ms-client-principal-id": "object-1",
        "x-ms-token-aad-access-token": "a-fake-token",
        "x-ms-custom": "kept",
      }),
      undefined,
    );
    expect(receive(requestOf("https://app.example/"), headers).headers).toEqual({ "x-ms-custom": "kept" });
  });
});

describe("a body", () => {
  const held = createRoom(1_000)();

  test("is read whole, bytes as they are", async () => {
    const bytes = new Uint8Array([0, 255, 13, 10]);
    expect([...(await readBody(requestOf("https://app.example/", {}, bytes), 4, held))]).toEqual([...bytes]);
    expect((await readBody(requestOf("https://app.example/"), 4, held)).length).toBe(0);
  });

  test("that is too large is refused with its limit", async () => {
    await expect(readBody(requestOf("https://app.example/", {}, "12345"), 4, held)).rejects.toMatchObject({
      code: "request_too_large",
      message: "The request body is over 4 bytes.",
    });
  });

  test("waits for the others to be done with, where all together are too large", async () => {
    const room = createRoom(10);
    const [one, other] = [room(), room()];
    const read = (by: typeof one): Promise<Uint8Array> =>
      readBody(requestOf("https://app.example/", {}, "123456"), 8, by);
    expect((await read(one)).length).toBe(6);
    await expect(read(other)).rejects.toMatchObject({ code: "overloaded", retryable: true });
    one.release();
    expect((await read(other)).length).toBe(6);
  });
});

describe("who has signed in", () => {
  const of = (header: string | undefined) =>
    identityOf(header === undefined ? {} : { "x-ms-client-principal": header });

  test("is told by Entra's claims", () => {
    expect(of(principal())).toEqual({
      kind: "entra",
      objectId: "object-1",
      tenantId: "directory-1",
      roles: ["weaver", "reader"],
      name: "Penelope",
    });
  });

  test.each([
    ["nothing", undefined],
    ["no base64", "%%%"],
    ["no JSON", Buffer.from("{").toString("base64")],
    ["another provider", principal({ auth_typ: "google" })],
    ["no claims", principal({ claims: undefined })],
    ["no object id", principal({ claims: [{ typ: "name", val: "Penelope" }] })],
  ])("is nobody with %s", (_name, header) => {
    expect(of(header)).toBeUndefined();
  });
});
