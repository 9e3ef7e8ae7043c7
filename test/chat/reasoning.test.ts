// Thoughts and the state that goes with them, through the gateway: whatever wire a client speaks, the maker is given back what it made,
// byte for byte, and nobody else is.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../lib/model/json.ts";
import type { Message, Part, ReasoningPart } from "../../lib/model/message.ts";
import type { FunctionTool } from "../../lib/model/request.ts";
import { type ClientWireId, clientWireIds } from "../../lib/model/wire-id.ts";
import { type Exchange, type Got, type Heard, say, startExchange } from "../support/exchange.ts";

/** An alias for every fallback of the tests: a breaker would else ask the host that is down last, after a while. */
const chains = clientWireIds.flatMap((client) =>
  ["anthropic", "google"].flatMap((host) =>
    [true, false].map((stream) => ({ client, host, stream, alias: `${host}-${client}-${stream}` })),
  ),
);
const makerHosts: Record<string, string> = {
  anthropic: "anthropic/claude-sonnet-4-5",
  google: "google/gemini-3-pro-preview",
};
const downOf: Record<string, string> = {
  anthropic: "claude-down/claude-sonnet-4-5",
  google: "gemini-down/gemini-3-pro-preview",
};

let exchange: Exchange;
beforeAll(async () => {
  exchange = await startExchange(`
  router: { kind: openai-compatible, apiKey: fake-key-e, baseUrl: "$URL/v1", dialect: { reasoningEffort: openrouter, replayReasoning: reasoning } }
  deep: { kind: openai-compatible, apiKey: fake-key-f, baseUrl: "$URL/v1", dialect: { replayReasoning: reasoning_content } }
  claude-down: { kind: anthropic, apiKey: fake-key-g, baseUrl: "http://127.0.0.1:1" }
  gemini-down: { kind: gemini, apiKey: fake-key-h, baseUrl: "http://127.0.0.1:1" }
models:
  elsewhere: { strategy: fallback, targets: [claude-down/claude-opus-4-5, google/gemini-3-pro-preview] }
${chains.map(({ host, alias }) => `  ${alias}: { strategy: fallback, targets: ["${downOf[host]}-${alias}", ${makerHosts[host]}] }`).join("\n")}
`);
});
afterAll(() => exchange.stop());

const tools: FunctionTool[] = [{ type: "function", name: "look", parameters: { type: "object", properties: {} } }];
const ask: Message = { role: "user", parts: [{ type: "text", text: "QUESTION" }] };
const call: Part = { type: "tool-call", callId: "toolu_1", name: "look", arguments: "{}" };
const result: Message = {
  role: "user",
  parts: [{ type: "tool-result", callId: "toolu_1", name: "look", parts: [{ type: "text", text: "RESULT" }] }],
};
/** base64, as all makers write their state. */
const state = (words: string): string => Buffer.from(words).toString("base64");
const thought = (origin: string, text: string, data: string, more: Partial<ReasoningPart> = {}): ReasoningPart => ({
  type: "reasoning",
  text,
  opaque: { origin, data },
  ...more,
});

type Maker = { model: string; /** The first answer, a tool call at its end. */ parts: Part[]; states: string[] };
const makers: Record<string, Maker> = {
  Anthropic: {
    model: "anthropic/claude-sonnet-4-5",
    parts: [
      thought("anthropic", "THOUGHT ONE", state("signature-1")),
      thought("anthropic", "", state("redacted-2"), { redacted: true }),
      thought("anthropic", "THOUGHT THREE", state("signature-3 +/==")),
      { type: "text", text: "I LOOK" },
      call,
    ],
    states: [state("signature-1"), state("redacted-2"), state("signature-3 +/==")],
  },
  "Anthropic, the thinking hidden": {
    model: "anthropic/claude-sonnet-4-5",
    parts: [thought("anthropic", "", state("signature-alone")), { type: "text", text: "I LOOK" }, call],
    states: [state("signature-alone")],
  },
  Google: {
    model: "google/gemini-3-pro-preview",
    parts: [
      { type: "reasoning", text: "THOUGHT ONE" },
      { type: "text", text: "I LOOK", opaque: { origin: "google", data: state("of-the-text") } },
      { ...call, opaque: { origin: "google", data: state("of-the-call") } },
    ],
    states: [state("of-the-text"), state("of-the-call")],
  },
  OpenAI: {
    model: "openai/gpt-5",
    parts: [
      thought("openai", "THOUGHT ONE", `gAAAA${state("encrypted-1")}`, { form: "summary", id: "rs_1" }),
      { type: "text", text: "I LOOK" },
      call,
    ],
    states: [`gAAAA${state("encrypted-1")}`],
  },
  "a router of others' models": {
    model: "router/up",
    parts: [thought("openai-chat", "THOUGHT ONE", state("routed-1")), { type: "text", text: "I LOOK" }, call],
    states: [state("routed-1")],
  },
};

const reasoning = { budgetTokens: 1_024, show: "auto" } as const;

/** The first turn of a tool loop: what the client got of it is what it sends back. */
const firstTurn = async (
  client: ClientWireId,
  maker: Maker,
  stream: boolean,
): Promise<{ got: Got; history: Message[] }> => {
  exchange.says(say(...maker.parts));
  const got = await exchange.ask(client, { model: maker.model, messages: [ask], tools, reasoning, stream });
  expect(got.status).toBe(200);
  return { got, history: [ask, { role: "assistant", parts: got.response.parts }, result] };
};

const secondTurn = async (
  client: ClientWireId,
  model: string,
  history: Message[],
  stream: boolean,
): Promise<{ got: Got; heard: Heard | undefined }> => {
  exchange.says(say({ type: "text", text: "DONE" }));
  const got = await exchange.ask(client, { model, messages: history, tools, reasoning, stream });
  return { got, heard: exchange.heard().at(-1) };
};

/** Everything that only its maker can read, in the order of the history. */
const statesIn = (heard: Heard | undefined): string[] =>
  heard?.request.messages.flatMap(({ parts }) =>
    parts.flatMap((part) => ("opaque" in part && part.opaque !== undefined ? [part.opaque.data] : [])),
  ) ?? [];

const loops = clientWireIds.flatMap((client) =>
  Object.keys(makers).flatMap((name) => [true, false].map((stream) => ({ client, name, stream }))),
);

describe("a tool loop", () => {
  test.each(loops)(
    "of a $client client with $name gives every state back byte for byte; streamed: $stream (F10, F11, F14)",
    async ({ client, name, stream }) => {
      const maker = makers[name]!;
      const { got, history } = await firstTurn(client, maker, stream);
      expect(got.text).toContain("I LOOK");
      const { got: second, heard } = await secondTurn(client, maker.model, history, stream);
      expect(second.text).toContain("DONE");
      expect(statesIn(heard)).toEqual(maker.states);
      for (const part of maker.states) expect(heard?.text).toContain(part);
      expect(heard?.text).toContain("RESULT");
    },
  );

  test.each(
    clientWireIds
      .flatMap((client) =>
        Object.keys(makers).flatMap((from) =>
          ["anthropic/claude-sonnet-4-5", "google/gemini-3-pro-preview", "openai/gpt-5", "deep/up"].map((to) => ({
            client,
            from,
            to,
          })),
        ),
      )
      .filter(({ from, to }) => makers[from]!.model !== to),
  )(
    "of a $client client that goes on from $from to $to takes the visible history along, and no state (F48)",
    async ({ client, from, to }) => {
      const { states } = makers[from]!;
      const { history } = await firstTurn(client, makers[from]!, false);
      const { got, heard } = await secondTurn(client, to, history, false);
      expect(got.text).toContain("DONE");
      for (const words of ["QUESTION", "I LOOK", "RESULT"]) expect(heard?.text).toContain(words);
      for (const data of states) {
        expect(heard?.text).not.toContain(data);
        // Sealed state stays here as well.
        expect(heard?.text).not.toContain("aGVkZGxl");
      }
      expect(statesIn(heard).filter((data) => states.includes(data))).toEqual([]);
    },
  );
});

describe("a fallback with thoughts in the history", () => {
  test.each(chains)(
    "of a $client client, to another host of $host's models, keeps them; streamed: $stream (F13)",
    async ({ client, host, stream, alias }) => {
      for (const name of host === "google" ? ["Google"] : ["Anthropic", "Anthropic, the thinking hidden"]) {
        const { history } = await firstTurn(client, makers[name]!, stream);
        const { got, heard } = await secondTurn(client, alias, history, stream);
        expect(got.headers.get("heddle-attempts")).toBe("2");
        expect(got.text).toContain("DONE");
        expect(statesIn(heard)).toEqual(makers[name]?.states);
      }
    },
  );

  test.each(clientWireIds)("of a %s client, to another maker, leaves them behind (F13, F48)", async (client) => {
    const { history } = await firstTurn(client, makers["Anthropic"]!, false);
    const { got, heard } = await secondTurn(client, "elsewhere", history, false);
    expect(got.headers.get("heddle-provider")).toBe("google");
    expect(got.text).toContain("DONE");
    for (const data of makers["Anthropic"]!.states) expect(heard?.text).not.toContain(data);
  });
});

describe("unsigned thoughts", () => {
  const unsigned: Maker = {
    model: "deep/up",
    parts: [{ type: "reasoning", text: "THOUGHT ONE" }, { type: "text", text: "I LOOK" }, call],
    states: [],
  };

  test.each(clientWireIds.flatMap((client) => [true, false].map((stream) => ({ client, stream }))))(
    "that a $client client got elsewhere never go to Anthropic; streamed: $stream (F12)",
    async ({ client, stream }) => {
      const { got, history } = await firstTurn(client, unsigned, stream);
      expect(got.text).toContain("THOUGHT ONE");
      const { got: second, heard } = await secondTurn(client, "anthropic/claude-sonnet-4-5", history, stream);
      expect(second.text).toContain("DONE");
      expect(heard?.text).toContain("I LOOK");
      expect(JSON.stringify(heard?.body["messages"])).not.toMatch(/THOUGHT|"thinking"|redacted_thinking/);
    },
  );

  /** What an Anthropic client does: it sends the blocks as it got them, with an empty signature or with none. */
  const sendsBack = async (
    model: string,
    change: (block: Record<string, unknown>) => Record<string, unknown>,
  ): Promise<Heard | undefined> => {
    const { got } = await firstTurn("anthropic-messages", unsigned, false);
    const { content } = JSON.parse(got.text) as { content: Record<string, unknown>[] };
    const messages = [
      { role: "user", content: "QUESTION" },
      { role: "assistant", content: content.map(change) },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "RESULT" }] },
    ];
    exchange.says(say({ type: "text", text: "DONE" }));
    const { status } = await exchange.ask(
      "anthropic-messages",
      { model, messages: [], tools, reasoning },
      { body: { messages } as never },
    );
    expect(status).toBe(200);
    return exchange.heard().at(-1);
  };
  const withoutSignature = ({ signature: _signature, ...block }: Record<string, unknown>): Record<string, unknown> =>
    block;

  test.each([
    ["an empty signature", (block: Record<string, unknown>) => block],
    ["no signature", withoutSignature],
  ])("with %s don't pass to Anthropic as bytes either (F12)", async (_name, change) => {
    const heard = await sendsBack("anthropic/claude-sonnet-4-5", change);
    expect(heard?.text).toContain("I LOOK");
    expect(heard?.text).toContain("RESULT");
    expect(JSON.stringify(heard?.body["messages"])).not.toMatch(/THOUGHT|"thinking"/);
  });

  test("go back to the host that wants them", async () => {
    expect((await sendsBack("deep/up", (block) => block))?.text).toContain('"reasoning_content":"THOUGHT ONE"');
    for (const client of ["openai-chat", "openai-responses"] as const) {
      const { history } = await firstTurn(client, unsigned, false);
      const { heard } = await secondTurn(client, "deep/up", history, false);
      expect(heard?.text).toContain('"reasoning_content":"THOUGHT ONE"');
    }
  });
});

test("a Chat client is given Gemini's signatures where Google's own endpoint puts them (F14)", async () => {
  const { got } = await firstTurn("openai-chat", makers["Google"]!, false);
  expect(JSON.parse(got.text)).toMatchObject({
    choices: [
      { message: { tool_calls: [{ extra_content: { google: { thought_signature: state("of-the-call") } } }] } },
    ],
  });
});

test("an Anthropic client is given each block's own signature_delta, before the block's end (F11)", async () => {
  const { got } = await firstTurn(
    "anthropic-messages",
    { ...makers["Google"]!, parts: [], model: "openai/gpt-5" },
    true,
  );
  expect(got.text).not.toContain("signature_delta");
  const { got: given } = await firstTurn("anthropic-messages", makers["OpenAI"]!, true);
  const events = [...given.text.matchAll(/^data: (.*)$/gm)].map(
    ([, data]) => JSON.parse(data ?? "") as Record<string, unknown>,
  );
  const kinds = events
    .filter((event) => event["index"] === 0)
    .map((event) => {
      const delta = event["delta"] as { type?: string } | undefined;
      return delta?.type ?? event["type"];
    });
  expect(kinds[0]).toBe("content_block_start");
  expect(kinds.slice(-2)).toEqual(["signature_delta", "content_block_stop"]);
});

describe("calls of other models in a Gemini client's history", () => {
  const turns = (signature: object): JsonObject => ({
    contents: [
      { role: "user", parts: [{ text: "QUESTION" }] },
      { role: "model", parts: [{ functionCall: { name: "look", args: {} }, ...signature }] },
      { role: "user", parts: [{ functionResponse: { name: "look", response: { output: "RESULT" } } }] },
    ],
  });
  const signatureAt = async (model: string, body: JsonObject): Promise<unknown[]> => {
    exchange.says(say({ type: "text", text: "DONE" }));
    const got = await exchange.ask("gemini-generate", { model, tools }, { body });
    expect(got.status).toBe(200);
    const messages = exchange.heard()[0]?.body["contents"] as { parts: Record<string, unknown>[] }[];
    const parts = messages.flatMap((content) => content.parts);
    return parts.filter((part) => part["functionCall"] !== undefined).map((part) => part["thoughtSignature"]);
  };

  test("are given the signature that Gemini 3 takes for them, though all else would pass as bytes (F14)", async () => {
    expect(await signatureAt("google/gemini-3-pro-preview", turns({}))).toEqual(["skip_thought_signature_validator"]);
  });
  test("are left as they are where Gemini made them, or needs none (F14)", async () => {
    expect(await signatureAt("google/gemini-3-pro-preview", turns({ thoughtSignature: state("own") }))).toEqual([
      state("own"),
    ]);
    expect(await signatureAt("google/gemini-2.5-pro", turns({}))).toEqual([undefined]);
  });
});
