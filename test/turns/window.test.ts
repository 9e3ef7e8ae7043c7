// A thread longer than its model's window still answers: what falls off, what stands for it, and what stays put for prompt caches.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { asObject, isObject, type JsonObject } from "../../lib/model/json.ts";
import type { ContextStrategy } from "../../lib/threads/head.ts";
import { summaryPrefix, threadPartition } from "../../lib/threads/keys.ts";
import { listMessages } from "../../lib/threads/messages.ts";
import { listUsage } from "../../lib/threads/runs.ts";
import { createThread } from "../../lib/threads/threads.ts";
import { dataFolder } from "../support/data.ts";
import { startUpstream, type TestUpstream } from "../support/gateway.ts";
import { grammar } from "../support/grammar.ts";
import { type InProcess, openInProcess } from "../support/in-process.ts";
import { type Elsewhere, open, openElsewhere } from "../support/stored.ts";
import { rawWires } from "../support/wires.ts";

/** What the scripted host's model takes; the gateway knows it by its name. */
const window = 8_192;
const model = "compat/gpt-4";
const limit = 400;

const data = dataFolder();
let upstream: TestUpstream;
let gateway: InProcess;
let elsewhere: Elsewhere;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await openInProcess(
    `providers:
  echo: { kind: echo, pace: 0 }
  compat: { kind: openai-compatible, apiKey: fake-compat-key, baseUrl: "${upstream.url}/v1" }`,
    data.path,
  );
  elsewhere = await openElsewhere(data.path);
});
afterAll(async () => {
  await elsewhere.close();
  await gateway.close();
  await upstream.stop();
  data.remove();
});

const newThread = async (strategy: ContextStrategy): Promise<string> =>
  (await createThread(elsewhere.store, open, { strategy, system: "Speak plainly." })).thread.id;

/** About this many tokens of words that differ from turn to turn. */
const words = (tokens: number, turn: number): string => `turn-${turn} `.padEnd(tokens * 4, `word${turn} `);

/** What a turn leaves to be done behind its answer is done when this resolves. */
const say = (thread: string, to: string, messages: readonly object[]): Promise<{ status: number; text: string }> =>
  gateway.post(
    "/v1/chat/completions",
    { "heddle-thread": thread, ...rawWires["openai-chat"].headers },
    { model: to, max_tokens: limit, messages, tools },
  );

const tools = [
  {
    type: "function",
    function: { name: "look", description: "To look.", parameters: { type: "object", properties: {} } },
  },
];

type Sent = {
  body: JsonObject;
  messages: JsonObject[];
  system: string;
  tokens: number;
  /** Summaries that had been made before. */
  made: number;
};

const sentOf = (text: string): Sent => {
  const body = asObject(JSON.parse(text)) ?? {};
  const all = Array.isArray(body["messages"]) ? body["messages"].filter(isObject) : [];
  return {
    body,
    messages: all.filter(({ role }) => role !== "system"),
    system: JSON.stringify(all.filter(({ role }) => role === "system")),
    tokens: Math.ceil(text.length / charactersPerToken),
    made: summaries.length,
  };
};

/** How the host counts, and what it says; a summary is told from a turn by its last words. */
let charactersPerToken = 4;
let turns: Sent[] = [];
let summaries: Sent[] = [];
let summaryFails = false;
beforeEach(() => {
  charactersPerToken = 4;
  turns = [];
  summaries = [];
  summaryFails = false;
  upstream.answer((request, response) => {
    const sent = sentOf(request.body);
    const last = JSON.stringify(sent.messages.at(-1));
    const isSummary = last.includes("Write the summary now.");
    (isSummary ? summaries : turns).push(sent);
    if (isSummary && summaryFails) {
      response.writeHead(500, { "content-type": "application/json" });
      response.end('{"error":{"message":"no summary today"}}');
      return;
    }
    const [message, finish] = isSummary
      ? [{ content: `Gist ${summaries.length}: ${"so it was. ".repeat(40)}` }, "stop"]
      : last.includes("please look")
        ? [
            {
              tool_calls: [
                { index: 0, id: `call_${turns.length}`, type: "function", function: { name: "look", arguments: "{}" } },
              ],
            },
            "tool_calls",
          ]
        : [{ content: `Answer ${turns.length}. ${"indeed ".repeat(40)}` }, "stop"];
    const chunk = (delta: object, finish_reason: string | null, more: object = {}): string =>
      `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "up", choices: [{ index: 0, delta, finish_reason }], ...more })}\n\n`;
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(chunk({ role: "assistant", ...message }, null));
    const usage = { prompt_tokens: sent.tokens, completion_tokens: 80, total_tokens: sent.tokens + 80 };
    response.end(`${chunk({}, finish, { usage })}data: [DONE]\n\n`);
  });
});

const summariesOf = async (thread: string): Promise<number> =>
  (await elsewhere.store.table.query({ pk: threadPartition(open.space, thread), prefix: summaryPrefix })).items.length;

/** One turn; every third one calls a tool and is given its result. */
const turn = async (thread: string, at: number, tokens = 300): Promise<void> => {
  const looks = at % 3 === 2;
  const asked = await say(thread, model, [
    { role: "user", content: `${words(tokens, at)}${looks ? " please look" : ""}` },
  ]);
  expect(asked.status, asked.text).toBe(200);
  if (!looks) return;
  const id = `call_${turns.length}`;
  const answered = await say(thread, model, [{ role: "tool", tool_call_id: id, content: `seen-${at}` }]);
  expect(answered.status, answered.text).toBe(200);
};

/** Where a request begins: the number of the turn whose question comes first. */
const beginning = ({ messages }: Sent): string => /turn-\d+/.exec(JSON.stringify(messages[0]))?.[0] ?? "none";

/** Requests that begin at the same turn, one after the other: how long each stretch is. */
const stretches = (requests: readonly Sent[]): { from: string; requests: Sent[] }[] => {
  const found: { from: string; requests: Sent[] }[] = [];
  for (const request of requests) {
    const from = `${beginning(request)} ${request.system}`;
    const last = found.at(-1);
    if (last?.from === from) last.requests.push(request);
    else found.push({ from, requests: [request] });
  }
  return found;
};

/** As long as the beginning stays, each request repeats the one before and adds to it: a prompt cache reads all of that. */
const expectStable = (requests: readonly Sent[], atLeast: number): void => {
  const found = stretches(requests);
  for (const { requests: stretch } of found)
    stretch.forEach(({ messages }, at) => {
      const before = stretch[at - 1]?.messages ?? [];
      expect(messages.slice(0, before.length)).toEqual(before);
    });
  // The first begins with the thread itself, the last goes on.
  for (const { requests: stretch } of found.slice(1, -1)) expect(stretch.length).toBeGreaterThanOrEqual(atLeast);
};

const count = 60;

// Dozens of turns each: a busy machine takes its time.
describe("on a model of 8,192 tokens", { timeout: 90_000 }, () => {
  test("window: the oldest turns fall off whole, the cut stays put for several turns, and calls keep their results (F51)", async () => {
    const thread = await newThread("window");
    for (let at = 0; at < count; at += 1) await turn(thread, at);
    for (const sent of turns) {
      expect(sent.tokens + limit).toBeLessThanOrEqual(window);
      expect(grammar["openai-chat"](sent.body)).toEqual([]);
      expect(sent.messages[0]?.["role"]).toBe("user");
      expect(beginning(sent)).not.toBe("none");
      expect(sent.system).toContain("Speak plainly.");
    }
    expect(beginning(turns.at(-1) ?? turns[0]!)).not.toBe("turn-0");
    // It is used: no request of the later ones is less than half of what fits.
    for (const sent of turns.slice(30)) expect(sent.tokens).toBeGreaterThan((window - limit) / 2);
    expectStable(turns, 3);
    expect(summaries).toEqual([]);
    const { messages } = await listMessages(elsewhere.store, open, thread, { limit: 100 });
    expect(JSON.stringify(messages[0])).toContain("turn-0");
  });

  test("summarize: made after the turn, used by the next, carried on in the one after; the messages themselves stay", async () => {
    const thread = await newThread("summarize");
    for (let at = 0; at < count; at += 1) await turn(thread, at);
    expect(await summariesOf(thread)).toBe(summaries.length);
    // Each request holds the newest summary that was made before it, and only that.
    for (const { made, ...sent } of turns) {
      expect(sent.tokens + limit).toBeLessThanOrEqual(window);
      expect(grammar["openai-chat"](sent.body)).toEqual([]);
      expect(sent.system.match(/Gist \d+/g) ?? []).toEqual(made === 0 ? [] : [`Gist ${made}`]);
    }
    // A turn that makes one doesn't wait for it: its own answer is whole before.
    expect(turns.filter(({ made }, at) => at > 0 && made !== turns[at - 1]?.made)).toHaveLength(summaries.length);
    expect(summaries.length).toBeGreaterThan(2);
    // Each carries the one before, and takes in what came since: calls with their results.
    summaries.forEach((sent, at) => {
      expect(grammar["openai-chat"](sent.body)).toEqual([]);
      if (at > 0) expect(sent.system).toContain(`Gist ${at}:`);
      expect(sent.tokens).toBeLessThanOrEqual(window);
    });
    expectStable(turns, 3);
    const { messages } = await listMessages(elsewhere.store, open, thread, { limit: 100 });
    expect(JSON.stringify(messages[0])).toContain("turn-0");
    // Between what was summarised and what is sent, no turn is missing.
    const begun = turns.map((sent) => Number(beginning(sent).slice(5)));
    const told = summaries.map(({ messages: said }) =>
      [...JSON.stringify(said).matchAll(/turn-(\d+)/g)].map(([, number]) => Number(number)),
    );
    const upTo = told.map((numbers) => Math.max(...numbers));
    expect(told.flat()).toEqual(Array.from({ length: (upTo.at(-1) ?? 0) + 1 }, (_, at) => at));
    expect(new Set(begun)).toEqual(new Set([0, ...upTo.map((number) => number + 1)]));
  });

  test("summarize, where no summary can be made: the window holds meanwhile", async () => {
    summaryFails = true;
    const thread = await newThread("summarize");
    for (let at = 0; at < 40; at += 1) await turn(thread, at);
    expect(summaries.length).toBeGreaterThan(0);
    for (const sent of turns) {
      expect(sent.tokens + limit).toBeLessThanOrEqual(window);
      expect(grammar["openai-chat"](sent.body)).toEqual([]);
    }
  });

  test("none: everything is sent", async () => {
    const thread = await newThread("none");
    for (let at = 0; at < 36; at += 1) await turn(thread, at);
    const last = turns.at(-1);
    expect(beginning(last ?? turns[0]!)).toBe("turn-0");
    expect(last?.tokens).toBeGreaterThan(window);
    expect(stretches(turns)).toHaveLength(1);
  });

  test("a host that counts otherwise corrects the estimate: its own count stays within its window", async () => {
    charactersPerToken = 2.5;
    const thread = await newThread("window");
    for (let at = 0; at < count; at += 1) await turn(thread, at);
    for (const sent of turns) expect(sent.tokens + limit).toBeLessThanOrEqual(window);
    for (const sent of turns.slice(40)) expect(sent.tokens).toBeGreaterThan((window - limit) / 3);
    // In a thread's first turns the correction itself still moves.
    expectStable(turns.slice(26), 2);
  });

  test("a message that is longer than the window by itself is sent all the same: the model's own refusal says it best", async () => {
    const thread = await newThread("window");
    await turn(thread, 0);
    await turn(thread, 1, window * 2);
    expect(turns.at(-1)?.messages).toHaveLength(1);
    await turn(thread, 3);
    expect(JSON.stringify(turns.at(-1)?.messages.at(-1))).toContain("turn-3");
    expect(turns.at(-1)?.tokens).toBeLessThan(window);
  });
});

describe.each(["window", "summarize", "none"] as const)("echo with a window of 2,000 tokens, %s", (strategy) => {
  test("thirty turns of 150 tokens are all answered", async () => {
    const thread = await newThread(strategy);
    for (let at = 0; at < 30; at += 1) {
      const { status, text } = await say(thread, "echo/window-2000", [
        { role: "user", content: `[[tool none]]${words(150, at)}` },
      ]);
      expect(status, text).toBe(200);
    }
    const told = (await listUsage(elsewhere.store, open, thread)).map(({ usage }) => usage.input);
    expect(told).toHaveLength(30);
    const most = Math.max(...told);
    if (strategy === "none") expect(most).toBeGreaterThan(2_000);
    else expect(most).toBeLessThanOrEqual(2_000);
  });
});
