// The function app under the real library: routes, bodies, headers, ends.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { dataFolder } from "../../support/data.ts";
import { type FakeHost, startFakeHost } from "./fake-host.ts";

const folder = dataFolder();
const key = "hd-a-fake-key-of-the-configuration";
const written: string[] = [];
const before = { ...process.env };
let host: FakeHost;
beforeAll(async () => {
  const path = join(folder.path, "models.yaml");
  writeFileSync(path, `auth: { keys: [{ name: app, key: ${key} }] }\ncors: { origins: ["https://app.example"] }`);
  Object.assign(process.env, { HEDDLE_CONFIG: path, HEDDLE_ENV: "staging" });
  vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    written.push(String(chunk));
    return true;
  });
  host = await startFakeHost(() => import("../../../functions/azure/index.ts"));
});
afterAll(() => {
  vi.restoreAllMocks();
  process.env = before;
  folder.remove();
});

const authorization = `Bearer ${key}`;
const chat = (stream: boolean, content = "hello") =>
  JSON.stringify({ model: "echo/echo", stream, messages: [{ role: "user", content }] });
const json = { authorization, "content-type": "application/json" };

describe("the function app", () => {
  test("registers one function for all routes, and nothing that lacks its service", () => {
    expect([...host.functions.keys()]).toEqual(["gateway"]);
    const [trigger] = Object.values(host.functions.get("gateway")?.bindings ?? {});
    expect(trigger).toMatchObject({ type: "httpTrigger", route: "{*path}", authLevel: "anonymous" });
  });

  test("answers whole, with its length", async () => {
    const got = await host.call({ path: "/v1/chat/completions", headers: json, body: chat(false) });
    expect(got.status).toBe(200);
    expect(Number(got.headers["content-length"])).toBe(got.bytes.length);
    expect(got.text).toContain("hello");
  });

  test("streams", async () => {
    const got = await host.call({ path: "/v1/chat/completions", headers: json, body: chat(true) });
    expect(got.headers["content-type"]).toContain("text/event-stream");
    expect(got.text).toContain("data: [DONE]");
  });

  test("refuses in the caller's own envelope", async () => {
    const got = await host.call({
      path: "/v1/messages",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(got.status).toBe(401);
    expect(JSON.parse(got.text)).toMatchObject({ type: "error", error: { type: "authentication_error" } });
  });

  test("each line it writes is whole JSON: metrics, then the call's record", () => {
    const lines = written.join("").trimEnd().split("\n");
    const first = lines.map((line) => Object.keys(JSON.parse(line) as object)[0]);
    expect(new Set(first)).toEqual(new Set(["heddle.metrics", "time"]));
  });
});
