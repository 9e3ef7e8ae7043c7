// The settings of the Siili API: what answers, and where.
import { expect, test } from "vitest";
import { load, refusal } from "./support.ts";

test("without any, the first alias answers at the root, else echo", async () => {
  expect((await load()).siili).toEqual({ prefix: "", model: "echo/echo" });
  expect((await load("models: { fast: echo/echo, other: echo/echo-reasoning }")).siili.model).toBe("fast");
});

test("as written", async () => {
  const siili = {
    prefix: "/api/chat",
    model: "echo/echo",
    system: "Be kind.",
    speechModel: "a",
    transcriptionModel: "a",
  };
  expect((await load(JSON.stringify({ models: { a: "echo/echo" }, siili }))).siili).toEqual(siili);
});

test.each(["/v1", "/v1/chat", "/v1beta/x", "api", "/api/", "/a b", "/"])("%j is no prefix", async (prefix) => {
  expect((await refusal(`siili:\n  prefix: "${prefix}"\n`)).join()).toContain(
    "heddle.yaml:2: siili.prefix: expected a path such as /api/chat, not below /v1 or /v1beta",
  );
});

test.each(["/v1x", "/api/v1", "", "/a_b-c"])("%j is one", async (prefix) => {
  expect((await load(`siili:\n  prefix: "${prefix}"\n`)).siili.prefix).toBe(prefix);
});

test.each(["model", "speechModel", "transcriptionModel"])(
  "a %s that leads nowhere is told by its place",
  async (name) => {
    expect((await refusal(`siili:\n  ${name}: nobody/x\n`)).join()).toContain(
      `heddle.yaml:2: siili.${name}: there is no provider 'nobody'`,
    );
  },
);
