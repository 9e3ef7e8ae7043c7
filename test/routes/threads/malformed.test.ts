// Bodies that nobody meant to send: the threads API answers each with a problem document that names the field, and goes on.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, type Body, type Client, clientOf, newThread, startThreads, textAt } from "./client.ts";

let running: Awaited<ReturnType<typeof startThreads>>;
let client: Client;
let thread: string;
let parked: string;
beforeAll(async () => {
  running = await startThreads();
  client = clientOf(running.gateway);
  thread = await newThread(client, { id: "steady", messages: [{ role: "user", content: "x", client_id: "first" }] });
  const waiting = await newThread(client, { id: "parked" });
  parked = textAt(
    await client.post(`/${waiting}/runs`, { model: "echo/echo", input: "call", tools: [{ name: "look" }] }),
    "id",
  );
});
afterAll(() => running.stop());

/** A body that each route takes, with every kind of field in it. */
const source = { kind: "base64", data: "AAAA", media_type: "image/png" };
const messages = [
  { role: "user", content: "x", metadata: { a: "1" } },
  {
    role: "user",
    parts: [
      { type: "text", text: "x", cache: { ttl: "5m" } },
      { type: "image", source, detail: "low" },
    ],
  },
  { role: "user", parts: [{ type: "document", source: { kind: "url", url: "https://example.com" }, title: "T" }] },
  { role: "assistant", parts: [{ type: "tool-call", call_id: "c", name: "n", arguments: "{}" }] },
  {
    role: "user",
    parts: [{ type: "tool-result", call_id: "c", parts: [{ type: "text", text: "y" }], is_error: true }],
  },
];
const routes: [string, string, () => string, Body][] = [
  [
    "POST",
    "threads",
    () => "",
    { title: "T", metadata: { a: "1" }, system: "S", context: { strategy: "none" }, retention_seconds: 60, messages },
  ],
  [
    "PATCH",
    "a thread",
    () => "/steady",
    { title: "T", metadata: { a: "1" }, system: "S", context: { strategy: "none" } },
  ],
  ["POST", "messages", () => "/steady/messages", { messages, parent_id: "first" }],
  ["POST", "a message", () => "/steady/messages", { ...messages[1], metadata: { b: "2" }, parent_id: null }],
  ["POST", "active_leaf", () => "/steady/active_leaf", { message_id: "first" }],
  ["POST", "fork", () => "/steady/fork", { message_id: "first", title: "T", metadata: {} }],
  [
    "POST",
    "runs",
    () => "/steady/runs",
    {
      model: "echo/echo",
      messages,
      stream: false,
      background: false,
      instructions: "I",
      tools: [{ name: "t", description: "d", parameters: { type: "object" }, strict: true }],
      tool_choice: "auto",
      max_output_tokens: 5,
      temperature: 1,
      top_p: 1,
      stop: ["x"],
      reasoning: { effort: "low" },
      output: { type: "json_schema", schema: { type: "object" }, name: "n" },
      parent_id: "first",
      on_conflict: "interrupt",
      metadata: { a: "1" },
    },
  ],
  [
    "POST",
    "tool_outputs",
    () => `/parked/runs/${parked}/tool_outputs`,
    { tool_outputs: [{ tool_call_id: "c", output: [{ type: "text", text: "x" }], is_error: false }], stream: false },
  ],
];

const expectOwnProblem = (answer: Answer): void => {
  expect(answer.status, answer.text).toBeLessThan(500);
  expect(answer.headers.get("content-type"), answer.text).toBe("application/problem+json");
  expect(answer.body).toMatchObject({ status: answer.status, code: expect.any(String), detail: expect.any(String) });
};

/** The places in a value, as paths. */
const placesIn = (value: unknown, path: readonly string[] = []): (readonly string[])[] =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([name, each]) => [[...path, name], ...placesIn(each, [...path, name])])
    : [];

const changed = (value: unknown, [name, ...rest]: readonly string[], to: unknown): unknown => {
  if (name === undefined) return to;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as Body) }) as Body;
  copy[name] = changed(copy[name], rest, to);
  return copy;
};

/** `["messages", "0", "role"]` as `messages[0].role`. */
const nameOf = (path: readonly string[]): string =>
  path.map((name, at) => (/^\d+$/.test(name) ? `[${name}]` : at === 0 ? name : `.${name}`)).join("");

describe.each(routes)("%s %s", (method, _name, path, valid) => {
  test("text that is no JSON object is a 400", async () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", minLength: 1 }).filter((each) => !/^\s*\{/.test(each)),
      fc
        .jsonValue()
        .filter((each) => typeof each !== "object" || each === null || Array.isArray(each))
        .map((each) => JSON.stringify(each)),
      fc.nat(JSON.stringify(valid).length - 2).map((end) => JSON.stringify(valid).slice(0, end + 1)),
    );
    await fc.assert(
      fc.asyncProperty(text, async (body) => {
        const answer = await client.call(method, path(), body);
        expectOwnProblem(answer);
        expect(answer.status).toBe(400);
      }),
      { numRuns: 25 },
    );
  });

  test("bytes that are no UTF-8 are a 400", async () => {
    const response = await fetch(`${client.url}/v1/threads${path()}`, {
      method,
      body: new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]),
    });
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
  });

  test("objects of anything are refused, or mean nothing", async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), async (body) => {
        const answer = await client.call(method, path(), JSON.stringify(body));
        expectOwnProblem(answer);
      }),
      { numRuns: 15 },
    );
  });

  test("a field of a wrong type is named by its path, or by what it lies in", async () => {
    const odd = fc.constantFrom<unknown>(
      7,
      -1.5,
      true,
      "",
      "\u0000",
      "\ud800",
      [],
      [null],
      {},
      { a: null },
      [[]],
      "x".repeat(1000),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...placesIn(valid)), odd, async (place, value) => {
        const answer = await client.call(method, path(), changed(valid, place, value));
        if (answer.status < 400) return;
        expectOwnProblem(answer);
        // What the provider refused is named by the provider.
        const begun = answer.headers.has("heddle-run");
        if (!begun && answer.status === 400 && answer.body["code"] === "invalid_request") {
          const param = String(answer.body["param"]);
          const name = nameOf(place);
          const related =
            name.startsWith(param) ||
            param.startsWith(name) ||
            param.startsWith(nameOf(place.slice(0, -1))) ||
            // That nobody waits for it is seen last.
            param === "tool_outputs[0].tool_call_id";
          expect(related, `${name} was wrong, ${param} was named`).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });
});

test("after all of it the thread is as whole as before", async () => {
  const answer = await client.get(`/${thread}/messages?limit=100`);
  expect(answer.status).toBe(200);
  expect((await client.get("/parked")).body["status"]).toBe("requires_action");
});
