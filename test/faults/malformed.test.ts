// Whatever is thrown at a route: a 4xx in the right envelope, or an answer; never a crash, never a hang.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientWireIds } from "../../lib/model/wire-id.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { rawWires } from "../support/wires.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway("providers: { echo: { kind: echo, pace: 0 } }");
});
afterAll(() => gateway.stop());

const send = (path: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(gateway.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: body as string,
    signal: AbortSignal.timeout(5_000),
  });

/** A value somewhere inside `body` replaced by another. */
const mutate = (body: unknown, path: readonly number[], value: unknown): unknown => {
  if (typeof body !== "object" || body === null || path.length === 0) return value;
  const copy: Record<string, unknown> | unknown[] = Array.isArray(body)
    ? [...(body as unknown[])]
    : { ...(body as Record<string, unknown>) };
  const keys = Object.keys(copy);
  if (keys.length === 0) return value;
  const at = keys[(path[0] ?? 0) % keys.length] ?? "";
  (copy as Record<string, unknown>)[at] = mutate((copy as Record<string, unknown>)[at], path.slice(1), value);
  return copy;
};

describe.each(clientWireIds)("%s", (id) => {
  const wire = rawWires[id];

  test("a mutated request is answered or refused in the wire's envelope", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(9), { maxLength: 5 }),
        fc.jsonValue({ maxDepth: 3 }),
        fc.boolean(),
        async (path, value, stream) => {
          const body = mutate(wire.body("echo/echo", stream), path, value);
          const response = await send(wire.path("echo/echo", stream), JSON.stringify(body), wire.headers);
          const text = await response.text();
          if (response.status === 200) return;
          expect(response.status).toBeGreaterThanOrEqual(400);
          expect(response.status, text).toBeLessThan(500);
          wire.envelope(JSON.parse(text));
        },
      ),
      { numRuns: 150 },
    );
  });

  test("bytes that are no JSON object are refused", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 60 }),
          fc.string().map((text) => new TextEncoder().encode(text)),
        ),
        async (bytes) => {
          const response = await send(wire.path("echo/echo", false), bytes, wire.headers);
          const text = await response.text();
          if (response.status === 200) return;
          expect(response.status).toBeLessThan(500);
          wire.envelope(JSON.parse(text));
        },
      ),
      { numRuns: 80 },
    );
  });

  test.each([
    ["an empty body", ""],
    ["null", "null"],
    ["an array", "[]"],
    ["a cut object", '{"model":"echo/echo",'],
    ["a number for the model", '{"model":3}'],
    ["an unknown model", JSON.stringify({ ...wire.body("no-such-model", false), model: "no-such-model" })],
    [
      "a deep nest",
      `{"model":"echo/echo","messages":${"[".repeat(5_000)}${"]".repeat(5_000)},"contents":${"[".repeat(5_000)}${"]".repeat(5_000)},"input":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
    ],
  ])("%s", async (name, body) => {
    const model = name === "an unknown model" ? "no-such-model" : "echo/echo";
    const response = await send(wire.path(model, false), body, wire.headers);
    const text = await response.text();
    if (id === "gemini-generate" && name === "a number for the model" && response.status === 200) return;
    expect(response.status, text).toBeGreaterThanOrEqual(400);
    expect(response.status, text).toBeLessThan(500);
    wire.envelope(JSON.parse(text));
  });

  test("a compressed body is refused, not misread", async () => {
    const response = await send(wire.path("echo/echo", false), JSON.stringify(wire.body("echo/echo", false)), {
      ...wire.headers,
      "content-encoding": "gzip",
    });
    expect(response.status).toBe(415);
    wire.envelope(await response.json());
  });

  test("a body over the limit is refused", async () => {
    const small = await startGateway("providers: { echo: { kind: echo } }", {}, (config) => {
      config.server.maxBodyBytes = 1_000;
    });
    const response = await fetch(small.url + wire.path("echo/echo", false), {
      method: "POST",
      headers: { "content-type": "application/json", ...wire.headers },
      body: JSON.stringify(wire.body("echo/echo", false, "x".repeat(5_000))),
    });
    expect(response.status).toBe(413);
    wire.envelope(await response.json());
    await small.stop();
  });

  test("the wrong method and an unknown route below it wear the same envelope", async () => {
    const path = wire.path("echo/echo", false);
    const wrong = await fetch(gateway.url + path, { method: "DELETE", headers: wire.headers });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get("allow")).toContain("POST");
    wire.envelope(await wrong.json());
  });
});
