// echo told to misbehave, by the prompt or by headers, on every wire; its pace; and that its page tells the truth.
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type ClientWireId, clientWireIds } from "../../../lib/model/wire-id.ts";
import { readDirectives, withoutDirectives } from "../../../lib/providers/echo/directives.ts";
import { startGateway, type TestGateway, until } from "../../support/gateway.ts";
import { rawWires } from "../../support/wires.ts";
import { createTestEcho } from "./support.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway("providers: { echo: { pace: 0 } }\nretry: { attempts: 1 }\n");
});
afterAll(() => gateway.stop());
afterEach(() => void vi.useRealTimers());

const post = (
  id: ClientWireId,
  prompt: string,
  stream: boolean,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> =>
  fetch(gateway.url + rawWires[id].path("echo/echo", stream), {
    method: "POST",
    headers,
    body: JSON.stringify(rawWires[id].body("echo/echo", stream, prompt)),
    ...(signal === undefined ? {} : { signal }),
  });

/** The same order by header and by prompt. */
const ways = (name: string, value: string): [string, Record<string, string>][] => [
  [`Hello [[${name} ${value}]] there`, {}],
  ["Hello there", { [`x-echo-${name}`]: value }],
];

for (const id of clientWireIds) {
  test.each([400, 401, 404, 429, 500, 503, 529])(`${id}: fails with %d, in the wire's envelope`, async (status) => {
    for (const [prompt, headers] of ways("fail", String(status)))
      for (const stream of [false, true]) {
        const response = await post(id, prompt, stream, headers);
        // Gemini knows no 529: it says 503. The gateway's own errors of a provider's 500 are 502 where the wire has it.
        const kept = response.status < 500 ? response.status : 500;
        expect(kept).toBe(Math.min(status, 500));
        rawWires[id].envelope(await response.json());
      }
  });

  test(`${id}: a failure's retry-after is kept (F29)`, async () => {
    const byPrompt = await post(id, "Hello [[fail 429]] [[retry-after 7]]", false);
    const byHeader = await post(id, "Hello", true, { "x-echo-fail": "429", "x-echo-retry-after": "7" });
    for (const response of [byPrompt, byHeader]) {
      await response.text();
      expect(response.headers.get("retry-after")).toBe("7");
    }
  });

  test(`${id}: an error, or a broken connection, after some words ends in the wire's own error event (F26)`, async () => {
    for (const name of ["fail-after", "cut"])
      for (const [prompt, headers] of ways(name, "3")) {
        const response = await post(id, prompt, true, headers);
        expect(response.status).toBe(200);
        const text = await response.text();
        expect(text).toContain("You");
        expect(text).not.toContain("stand-in");
        expect(rawWires[id].inBandError(text)).toBe(true);
      }
  });

  test(`${id}: the same in a whole answer is an HTTP error`, async () => {
    for (const name of ["fail-after", "cut"]) {
      const response = await post(id, `Hello [[${name} 3]]`, false);
      expect(response.status).toBeGreaterThanOrEqual(500);
      rawWires[id].envelope(await response.json());
    }
  });

  test(`${id}: a long answer has as many words as were asked for`, async () => {
    for (const [prompt, headers] of ways("long", "300")) {
      const body = {
        ...rawWires[id].body("echo/echo", false, prompt),
        ...(id === "anthropic-messages" ? { max_tokens: 9_000 } : {}),
      };
      const response = await fetch(gateway.url + rawWires[id].path("echo/echo", false), {
        method: "POST",
        headers,
        body: JSON.stringify(body),
      });
      const text = await response.text();
      expect(text.match(/warp|weft|shuttle|heddle|loom|thread|reed|bobbin|treadle|selvage|twill|plain/g)).toHaveLength(
        300,
      );
    }
  });

  test(`${id}: silence for ever after some words lasts until the caller leaves`, async () => {
    const leaving = new AbortController();
    const before = gateway.logs.length;
    const response = await post(id, "Hello [[stall-after 2]]", true, {}, leaving.signal);
    const reader = response.body!.getReader();
    let text = "";
    while (!text.includes("said")) text += Buffer.from((await reader.read()).value ?? []).toString();
    leaving.abort();
    await reader.closed.catch(() => undefined);
    await until(() => gateway.logs.length > before, "the record of the call");
    expect(gateway.logs.at(-1)).toMatchObject({ disconnected: true, wire: id });
  });
}

test("words come one by one at the pace that was set, after the silence that was asked for", async () => {
  vi.useFakeTimers();
  const echo = createTestEcho(50);
  const send = async (prompt: string): Promise<AsyncIterator<Uint8Array>> => {
    const body = JSON.stringify({ model: "echo", stream: true, messages: [{ role: "user", content: prompt }] });
    const call = {
      wire: "openai-chat",
      operation: "generate",
      model: "echo",
      stream: true,
      headers: {},
      body,
    } as const;
    return (await echo.send(call, new AbortController().signal)).body[Symbol.asyncIterator]();
  };
  const words: string[] = [];
  let over = false;
  const listen = async (chunks: AsyncIterator<Uint8Array>): Promise<void> => {
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
      words.push(
        ...[
          ...Buffer.from(next.value)
            .toString()
            .matchAll(/"content":"([^"]+)"/g),
        ].map(([, word = ""]) => word),
      );
    over = true;
  };
  const heard = listen(await send("Hello"));
  await vi.advanceTimersByTimeAsync(49);
  expect(words).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(words).toEqual(["You"]);
  await vi.advanceTimersByTimeAsync(100);
  expect(words).toEqual(["You", " said:", " Hello."]);
  await vi.runAllTimersAsync();
  await heard;
  expect(words.join("")).toBe("You said: Hello. I am echo, the built-in stand-in model of Heddle.");
  expect(over).toBe(true);

  words.length = 0;
  const stalled = listen(await send("Hello [[stall 5000]] [[pace 10]]"));
  await vi.advanceTimersByTimeAsync(5_009);
  expect(words).toEqual([]);
  await vi.advanceTimersByTimeAsync(11);
  expect(words).toEqual(["You", " said:"]);
  await vi.runAllTimersAsync();
  await stalled;
});

test("orders that make no sense are not followed", () => {
  const read = (prompt: string): object => readDirectives({}, prompt, 20);
  for (const odd of [
    "[[fail 200]]",
    "[[fail x]]",
    "[[cut -1]]",
    "[[long Infinity]]",
    "[[constructor 1]]",
    "[[fail]]",
    "[fail 500]",
  ])
    expect(read(odd)).toEqual({ pace: 20 });
  expect(read("[[long 1e9]] [[pace 1e9]] [[stall 1e9]]")).toEqual({ long: 100_000, pace: 60_000, stall: 600_000 });
  expect(readDirectives({ "x-echo-fail": "500" }, "[[fail 429]]", 0)).toEqual({ fail: 429, pace: 0 });
  expect(readDirectives({ "x-echo-retry-after": "7\r\nset-cookie: a" }, "", 0).retryAfter).not.toMatch(/[\r\n]/);
  expect(withoutDirectives("a [[fail 429]] b")).toBe("a b");
});

const page = readFileSync(new URL("../../../docs/echo.md", import.meta.url), "utf8");
const rows = [...page.matchAll(/^\| `x-echo-([a-z-]+): ([^`]+)` \| `\[\[([a-z-]+) ([^\]]+)\]\]` \|/gm)];

test("docs/echo.md: every order of the page is one, by header and by prompt alike, and none is left out", () => {
  const fields = rows.map(([, header = "", value = "", name = "", same = ""]) => {
    expect([name, same]).toEqual([header, value]);
    const byHeader = readDirectives({ [`x-echo-${header}`]: value }, "", -1);
    expect(readDirectives({}, `[[${name} ${same}]]`, -1)).toEqual(byHeader);
    expect(Object.values(byHeader).filter((each) => each !== -1)).toEqual([
      /^\d+$/.test(value) && header !== "retry-after" ? Number(value) : value,
    ]);
    return Object.entries(byHeader).find(([, each]) => each !== -1)?.[0];
  });
  const all = ["cut", "fail", "failAfter", "long", "pace", "retryAfter", "stall", "stallAfter", "tool"];
  expect(new Set(fields)).toEqual(new Set(all));
  expect(rows).toHaveLength(all.length);
});

test("docs/echo.md: the models of the page are those that are listed", async () => {
  const named = [...page.matchAll(/^\| `echo\/([a-z-]+)` \|/gm)].map(([, name = ""]) => name);
  const listed = await createTestEcho().services.listModels?.(new AbortController().signal);
  expect(listed?.map(({ id }) => id)).toEqual(named);
});
