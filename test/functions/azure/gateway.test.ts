// The function app under the real library: routes, bodies, headers, ends.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type App, key, startApp } from "./app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp(`cors: { origins: ["https://app.example"] }`);
});
afterAll(() => app.restore());

const authorization = `Bearer ${key}`;
const chat = (stream: boolean, content = "hello") =>
  JSON.stringify({ model: "echo/echo", stream, messages: [{ role: "user", content }] });
const json = { authorization, "content-type": "application/json" };

describe("the function app", () => {
  test("registers one function for all routes, and nothing that lacks its service", () => {
    expect([...app.host.functions.keys()]).toEqual(["gateway"]);
    const [trigger] = Object.values(app.host.functions.get("gateway")?.bindings ?? {});
    expect(trigger).toMatchObject({ type: "httpTrigger", route: "{*path}", authLevel: "anonymous" });
  });

  test("answers whole, with its length", async () => {
    const got = await app.host.call({ path: "/v1/chat/completions", headers: json, body: chat(false) });
    expect(got.status).toBe(200);
    expect(Number(got.headers["content-length"])).toBe(got.bytes.length);
    expect(got.text).toContain("hello");
  });

  test("streams", async () => {
    const got = await app.host.call({ path: "/v1/chat/completions", headers: json, body: chat(true) });
    expect(got.headers["content-type"]).toContain("text/event-stream");
    expect(got.text).toContain("data: [DONE]");
  });

  test("refuses in the caller's own envelope", async () => {
    const got = await app.host.call({
      path: "/v1/messages",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(got.status).toBe(401);
    expect(JSON.parse(got.text)).toMatchObject({ type: "error", error: { type: "authentication_error" } });
  });

  test("each line it writes is whole JSON: metrics, then the call's record", () => {
    const lines = app.written.join("").trimEnd().split("\n");
    const first = lines.map((line) => Object.keys(JSON.parse(line) as object)[0]);
    expect(new Set(first)).toEqual(new Set(["heddle.metrics", "time"]));
  });
});
