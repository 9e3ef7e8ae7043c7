// Idempotency-Key over real HTTP: one call, one answer, however often it comes; on every wire, streamed and whole.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openFileBlobs } from "../../lib/blobs/files.ts";
import { clientWireIds, type ClientWireId } from "../../lib/model/wire-id.ts";
import { callHash } from "../../lib/routes/idempotent-call.ts";
import { systemClock } from "../../lib/routing/retry.ts";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import { findRun } from "../../lib/threads/closing.ts";
import { beginIdempotent, finishIdempotent } from "../../lib/threads/idempotency.ts";
import { startTurn } from "../../lib/threads/start-turn.ts";
import { createHub } from "../../lib/threads/hub.ts";
import { defaultLimits, type ThreadStore } from "../../lib/threads/store.ts";
import { spaceOf } from "../../lib/threads/keys.ts";
import { createThread } from "../../lib/threads/threads.ts";
import { dataFolder } from "../support/data.ts";
import { type Exchange, hostOfWire, say, startExchange } from "../support/exchange.ts";
import { jsonAnswer, startGateway, startUpstream, type TestUpstream, until } from "../support/gateway.ts";
import { rawWires } from "../support/wires.ts";

const keys = { ada: "fake-key-of-ada-0001", bob: "fake-key-of-bob-0001" };
const data = dataFolder();
/** An Anthropic host that does as each test says. */
let host: TestUpstream;
let exchange: Exchange;
const start = (): Promise<Exchange> =>
  startExchange(
    `  echo: { kind: echo, pace: 0 }
  host: { kind: anthropic, apiKey: fake-key-e, baseUrl: "${host.url}" }
auth:
  keys:
    - { name: ada, key: ${keys.ada} }
    - { name: bob, key: ${keys.bob} }
`,
    (config) => {
      config.storage = "sqlite";
      config.dataDir = data.path;
    },
  );
beforeAll(async () => {
  host = await startUpstream();
  exchange = await start();
});
afterAll(async () => {
  await exchange.stop();
  await host.stop();
  data.remove();
});
beforeEach(() => {
  exchange.upstream.requests.length = 0;
  host.requests.length = 0;
  exchange.says(say({ type: "text", text: "Hello there" }));
});

let count = 0;
const newKey = (): string => `stainless-node-retry-${(count += 1)}`;

type Asked = {
  key?: string;
  wire?: ClientWireId;
  model?: string;
  stream?: boolean;
  text?: string;
  who?: keyof typeof keys;
  headers?: Record<string, string>;
  path?: string;
};
const ask = ({
  key = newKey(),
  wire = "anthropic-messages",
  model = "host/up",
  stream = false,
  text = "hi",
  who = "ada",
  headers = {},
  path,
}: Asked): Promise<Response> =>
  fetch(exchange.gateway.url + (path ?? rawWires[wire].path(model, stream)), {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${keys[who]}`,
      "idempotency-key": key,
      ...headers,
    },
    body: JSON.stringify(rawWires[wire].body(model, stream, text)),
  });

const replayed = (response: Response): boolean => response.headers.get("idempotent-replayed") === "true";

/** Both answers are one and the same. */
const expectSame = async (first: Response, second: Response): Promise<string> => {
  const [one, two] = [await first.text(), await second.text()];
  expect(first.status, one).toBe(200);
  expect(second.status, two).toBe(200);
  expect(two).toBe(one);
  for (const name of ["content-type", "heddle-provider", "heddle-thread", "heddle-run"])
    expect(second.headers.get(name)).toBe(first.headers.get(name));
  expect([replayed(first), replayed(second)]).toEqual([false, true]);
  return one;
};

const anthropicStream = rawWires["anthropic-messages"].begin + rawWires["anthropic-messages"].end;
const streams = (text: string): void =>
  host.answer((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(text);
  });

describe.each(clientWireIds)("on %s", (wire) => {
  const other = wire === "openai-chat" ? "anthropic-messages" : "openai-chat";
  const models = { "its own wire": `${hostOfWire[wire]}/up`, "another wire": `${hostOfWire[other]}/up` };
  describe.each(Object.entries(models))("over %s", (_name, model) => {
    test.each([true, false])("the same call has the same answer, and is made once, streamed: %s", async (stream) => {
      const asked = { key: newKey(), wire, model, stream };
      const first = await ask(asked);
      const text = await first.clone().text();
      await expectSame(first, await ask(asked));
      expect(text).toContain("Hello");
      expect(exchange.upstream.requests).toHaveLength(1);
      expect(exchange.upstream.requests[0]?.headers).not.toHaveProperty("idempotency-key");
      await (await ask({ ...asked, key: newKey() })).text();
      expect(exchange.upstream.requests).toHaveLength(2);
    });

    test.each([true, false])("a turn of a thread is replayed from its run, streamed: %s", async (stream) => {
      const asked = { key: newKey(), wire, model, stream, headers: { "heddle-thread": "new" } };
      const first = await ask(asked);
      await first.clone().text();
      await expectSame(first, await ask(asked));
      expect(first.headers.get("heddle-run")).toMatch(/^run_/);
      expect(exchange.upstream.requests).toHaveLength(1);
    });
  });

  test("another body under the same key is refused in the wire's own envelope", async () => {
    const asked = { key: newKey(), wire, model: `${hostOfWire[wire]}/up` };
    await (await ask(asked)).text();
    const refused = [
      await ask({ ...asked, text: "other" }),
      await ask({ ...asked, headers: { "heddle-thread": "new" } }),
    ];
    for (const response of refused) {
      expect(response.status).toBe(422);
      rawWires[wire].envelope(await response.json());
    }
    expect(exchange.upstream.requests).toHaveLength(1);
  });
});

test("a stream of Gemini as an array", async () => {
  const path = "/v1beta/models/google%2Fup:streamGenerateContent";
  const asked = { key: newKey(), wire: "gemini-generate", model: "google/up", path } as const;
  const text = await expectSame(await ask(asked), await ask(asked));
  expect(JSON.parse(text)).toBeInstanceOf(Array);
  expect(exchange.upstream.requests).toHaveLength(1);
  // The same body as server-sent events is another call.
  expect((await ask({ ...asked, path: `${path}?alt=sse` })).status).toBe(422);
});

test("what the model can call is replayed too", async () => {
  exchange.says(say({ type: "tool-call", callId: "call_1", name: "get_weather", arguments: "{}" }));
  for (const headers of [{}, { "heddle-thread": "new" }])
    for (const stream of [true, false]) {
      const asked = { key: newKey(), model: "anthropic/up", stream, headers };
      const first = await ask(asked);
      await first.clone().text();
      expect(await expectSame(first, await ask(asked))).toContain("get_weather");
    }
  expect(exchange.upstream.requests).toHaveLength(4);
});

test("while the first is running the second is told to come again", async () => {
  for (const stream of [true, false]) {
    const released = Promise.withResolvers<void>();
    host.requests.length = 0;
    host.answer(async (_request, response) => {
      await released.promise;
      response.writeHead(200, { "content-type": stream ? "text/event-stream" : "application/json" });
      response.end(stream ? anthropicStream : JSON.stringify(rawWires["anthropic-messages"].whole));
    });
    const asked = { key: newKey(), stream };
    const first = ask(asked);
    await until(() => host.requests.length === 1, "the upstream is asked");
    const second = await ask(asked);
    expect(second.status).toBe(409);
    expect(second.headers.get("retry-after")).toBe("1");
    expect(second.headers.get("x-should-retry")).not.toBe("false");
    rawWires["anthropic-messages"].envelope(await second.json());
    released.resolve();
    const answer = await first;
    await answer.clone().text();
    await expectSame(answer, await ask(asked));
    expect(host.requests).toHaveLength(1);
  }
});

describe("an answer that is none is not kept", () => {
  const whole = (): void => host.answer(jsonAnswer(200, rawWires["anthropic-messages"].whole));

  test.each([400, 429, 500])("a %i of the provider", async (status) => {
    for (const headers of [{}, { "heddle-thread": "new" }]) {
      host.answer(jsonAnswer(status, rawWires["anthropic-messages"].error(status, "no")));
      const asked = { key: newKey(), headers };
      expect((await ask(asked)).status).toBe(status);
      whole();
      const second = await ask(asked);
      expect([second.status, replayed(second)]).toEqual([200, false]);
      await second.text();
    }
  });

  test.each([
    ["an error in its midst", rawWires["anthropic-messages"].begin + rawWires["anthropic-messages"].midError],
    ["no end", rawWires["anthropic-messages"].begin],
  ])("a stream with %s", async (_name, broken) => {
    for (const headers of [{}, { "heddle-thread": "new" }]) {
      const asked = { key: newKey(), stream: true, headers };
      streams(broken);
      const first = await ask(asked);
      expect([first.status, rawWires["anthropic-messages"].inBandError(await first.text())]).toEqual([200, true]);
      streams(anthropicStream);
      const second = await ask(asked);
      expect([second.status, replayed(second)]).toEqual([200, false]);
      expect(rawWires["anthropic-messages"].inBandError(await second.text())).toBe(false);
    }
  });

  test("a refusal by the gateway frees the key for the corrected call", async () => {
    const key = newKey();
    expect((await ask({ key, model: "nobody/none" })).status).toBe(404);
    whole();
    expect((await ask({ key })).status).toBe(200);
  });

  test("a token count needs no keeping", async () => {
    for (let tries = 0; tries < 2; tries += 1) {
      const counted = await ask({ key: "count", model: "echo/echo", path: "/v1/messages/count_tokens" });
      expect([counted.status, replayed(counted)]).toEqual([200, false]);
    }
  });
});

describe("a caller that goes away", () => {
  const leave = async (headers: Record<string, string>): Promise<{ asked: Asked; release: () => void }> => {
    const released = Promise.withResolvers<void>();
    host.answer(async (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(rawWires["anthropic-messages"].begin);
      await released.promise;
      response.end(rawWires["anthropic-messages"].end);
    });
    const asked = { key: newKey(), stream: true, headers };
    const first = await ask(asked);
    const reader = first.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    return { asked, release: () => released.resolve() };
  };

  test("in a turn of a thread: it finds the turn where it is, and nothing is made twice", async () => {
    const { asked, release } = await leave({ "heddle-thread": "new" });
    const again = await ask(asked);
    expect([again.status, replayed(again)]).toEqual([200, true]);
    release();
    expect(await again.text()).toContain("message_stop");
    expect(await (await ask(asked)).text()).toContain("message_stop");
    expect(host.requests).toHaveLength(1);
  });

  test("without a thread: the call was aborted, and is made again", async () => {
    const { asked, release } = await leave({});
    await until(() => host.requests[0]?.aborted === true, "the upstream is let go");
    streams(anthropicStream);
    let again = await ask(asked);
    for (; again.status === 409; again = await ask(asked)) await again.text();
    expect([again.status, replayed(again)]).toEqual([200, false]);
    expect(await again.text()).toContain("message_stop");
    release();
  });
});

test("another owner with the same key makes a call of their own", async () => {
  const asked = { key: newKey(), model: "anthropic/up" };
  const mine = await (await ask(asked)).text();
  exchange.says(say({ type: "text", text: "For Bob" }));
  const theirs = await ask({ ...asked, who: "bob" });
  expect([theirs.status, replayed(theirs)]).toEqual([200, false]);
  expect(await theirs.text()).toContain("For Bob");
  expect(await (await ask(asked)).text()).toBe(mine);
});

test("bytes come back as they were", async () => {
  const speak = (key: string): Promise<Response> =>
    fetch(`${exchange.gateway.url}/v1/audio/speech`, {
      method: "POST",
      headers: { authorization: `Bearer ${keys.ada}`, "idempotency-key": key, "content-type": "application/json" },
      body: JSON.stringify({ model: "echo/echo", input: "hello", voice: "alloy" }),
    });
  const key = newKey();
  const [first, second] = [await speak(key), await speak(key)];
  expect([first.status, second.status, replayed(second)]).toEqual([200, 200, true]);
  expect(Buffer.from(await second.arrayBuffer())).toEqual(Buffer.from(await first.arrayBuffer()));
});

test("answers outlive the gateway", async () => {
  const plain = { key: newKey(), model: "anthropic/up", stream: true };
  const onThread = { ...plain, key: newKey(), headers: { "heddle-thread": "new" } };
  const texts = [await (await ask(plain)).text(), await (await ask(onThread)).text()];
  await exchange.stop();
  exchange = await start();
  const again = [await ask(plain), await ask(onThread)];
  expect(again.map(replayed)).toEqual([true, true]);
  expect([await again[0]?.text(), await again[1]?.text()]).toEqual(texts);
});

describe("a call whose process died", () => {
  const caller = { space: spaceOf("default", "ada"), owner: "ada" };
  const hashOf = (headers: Record<string, string>): string =>
    callHash({
      method: "POST",
      path: "/v1/messages",
      query: "",
      headers,
      body: Buffer.from(JSON.stringify(rawWires["anthropic-messages"].body("anthropic/up", false))),
    });
  let store: ThreadStore;
  beforeAll(async () => {
    store = {
      table: await openSqlite({ file: join(data.path, "heddle.db") }),
      blobs: openFileBlobs({ folder: join(data.path, "blobs") }),
      clock: systemClock,
      newId: () => newKey().padStart(24, "a").slice(-24).replaceAll("-", "b"),
      hub: createHub(),
      limits: { ...defaultLimits, leaseMs: 0 },
      tokensOf: () => 1,
      foldEvents: () => ({ parts: [] }),
    };
  });
  afterAll(async () => {
    await store.table.close();
  });

  test("is taken over when it has been silent for long enough", async () => {
    const asked = { key: newKey(), model: "anthropic/up" };
    await beginIdempotent(store, caller, asked.key, hashOf({}), 60_000);
    const waiting = await ask(asked);
    expect(waiting.status, await waiting.text()).toBe(409);
    const silent = { ...asked, key: newKey() };
    await beginIdempotent(store, caller, silent.key, hashOf({}), 0);
    const taken = await ask(silent);
    expect([taken.status, replayed(taken)]).toEqual([200, false]);
  });

  test("with its turn begun: the turn is ended, and the call made anew", async () => {
    const headers = { "heddle-thread": "new" };
    const asked = { key: newKey(), model: "anthropic/up", headers };
    const { thread } = await createThread(store, caller);
    const message = { role: "user" as const, parts: [{ type: "text" as const, text: "hi" }] };
    const dead = await startTurn(store, caller, thread.id, { messages: [{ message }] });
    const begun = await beginIdempotent(store, caller, asked.key, hashOf(headers));
    if (begun.kind !== "new") throw new Error(begun.kind);
    const run = { thread: thread.id, run: dead.run.id, step: 1, stepFirst: 1 };
    await finishIdempotent(store, begun.token, { status: 200, headers: {}, run });
    const anew = await ask(asked);
    expect([anew.status, replayed(anew)]).toEqual([200, false]);
    expect(anew.headers.get("heddle-thread")).not.toBe(thread.id);
    await expectSame(anew, await ask(asked));
    expect((await findRun(store, caller.space, thread.id, dead.run.id))?.state).toBe("expired");
  });
});

describe("the SDKs' own keys", () => {
  /** Sends a key of its own with every call, the same with every retry of it. */
  class Retrying extends OpenAI {
    override idempotencyHeader = "Idempotency-Key";
  }
  const openai = (): OpenAI => new Retrying({ apiKey: keys.ada, baseURL: `${exchange.gateway.url}/v1`, maxRetries: 2 });
  const ask4 = { model: "host/up", messages: [{ role: "user" as const, content: "hi" }] };

  test("a retry after a failure is carried out", async () => {
    let calls = 0;
    host.answer((request, response) => {
      calls += 1;
      const status = calls === 1 ? 500 : 200;
      const raw = rawWires["anthropic-messages"];
      return jsonAnswer(status, status === 200 ? raw.whole : raw.error(500, "no"))(request, response);
    });
    const completion = await openai().chat.completions.create(ask4);
    expect([completion.choices[0]?.message.content, calls]).toEqual(["Hello", 2]);
  });

  test("a retry while the first is running waits for its answer", async () => {
    const released = Promise.withResolvers<void>();
    host.answer(async (request, response) => {
      await released.promise;
      await jsonAnswer(200, rawWires["anthropic-messages"].whole)(request, response);
    });
    const options = { idempotencyKey: newKey() };
    const first = openai().chat.completions.create(ask4, options);
    await until(() => host.requests.length === 1, "the upstream is asked");
    let refused = 0;
    const second = new Retrying({
      apiKey: keys.ada,
      baseURL: `${exchange.gateway.url}/v1`,
      fetch: async (url, init) => {
        const response = await fetch(url, init);
        if (response.status === 409) {
          refused += 1;
          released.resolve();
          await first;
        }
        return response;
      },
    });
    expect(await second.chat.completions.create(ask4, options)).toEqual(await first);
    expect([refused, host.requests.length]).toEqual([1, 1]);
  });

  test("Anthropic's, streamed", async () => {
    streams(anthropicStream);
    const client = new Anthropic({ apiKey: keys.ada, baseURL: exchange.gateway.url, maxRetries: 0 });
    const options = { headers: { "Idempotency-Key": newKey() } };
    const params = { model: "host/up", max_tokens: 9, messages: [{ role: "user" as const, content: "hi" }] };
    const first = await client.messages.stream(params, options).finalMessage();
    const second = await client.messages.stream(params, options).finalMessage();
    expect(second).toEqual(first);
    expect(host.requests).toHaveLength(1);
  });
});

test("a key that is none is named", async () => {
  for (const key of ["", "x".repeat(256)]) {
    const response = await ask({ key });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("idempotency-key");
  }
});

test("where nothing is stored, the key says nothing", async () => {
  const gateway = await startGateway("providers: { echo: { kind: echo, pace: 0 } }");
  for (let tries = 0; tries < 2; tries += 1) {
    const response = await fetch(`${gateway.url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": "same" },
      body: JSON.stringify(rawWires["anthropic-messages"].body("echo/echo", false, `try ${tries}`)),
    });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain(`try ${tries}`);
  }
  await gateway.stop();
});

describe("what makes a call the same", () => {
  const call = { method: "POST", path: "/v1/files", query: "", headers: {}, body: Buffer.from("{}") };
  const form = (boundary: string, quote = "", file = "abc"): Parameters<typeof callHash>[0] => ({
    ...call,
    headers: { "content-type": `multipart/form-data; boundary=${quote}${boundary}${quote}` },
    body: Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="f"\r\n\r\n${file}\r\n--${boundary}--\r\n`,
    ),
  });

  test("a form with a new boundary", () => {
    expect(callHash(form("one"))).toBe(callHash(form("two", '"')));
    expect(callHash(form("one"))).not.toBe(callHash(form("one", "", "abd")));
  });

  test("not who calls, nor how it is traced", () => {
    const hash = callHash(call);
    expect(callHash({ ...call, query: "key=secret", headers: { "x-api-key": "fake", traceparent: "00-1" } })).toBe(
      hash,
    );
    for (const other of [
      { path: "/v1/other" },
      { query: "alt=sse" },
      { headers: { "heddle-thread": "t" } },
      { body: Buffer.from("{} ") },
    ])
      expect(callHash({ ...call, ...other })).not.toBe(hash);
  });
});
