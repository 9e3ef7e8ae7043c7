// Free-form tools, through the gateway: a function of one text where the host knows functions alone, the caller's own tool in the answer.
import { array, assert, constantFrom, nat, property, string } from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ChatResponse, StreamEvent } from "../../../lib/model/event.ts";
import type { Message, Part } from "../../../lib/model/message.ts";
import type { ChatRequest, CustomTool } from "../../../lib/model/request.ts";
import { bedrockConverse } from "../../../lib/wires/bedrock-converse/index.ts";
import { adapt } from "../../../lib/wires/shared/adapt.ts";
import { fold } from "../../../lib/wires/shared/fold.ts";
import { type Exchange, say, startExchange } from "../../support/exchange.ts";

let exchange: Exchange;
beforeAll(async () => {
  exchange = await startExchange();
});
afterAll(() => exchange.stop());

const patch = '*** Begin Patch\n*** Update "a\\b.ts"\n+ päng 🧵\u2028\n*** End Patch';
const grammar = { type: "grammar", syntax: "lark", definition: 'start: "*** Begin Patch"' };
const tools: CustomTool[] = [{ type: "custom", name: "apply_patch", description: "Edits files.", format: grammar }];
const history: Message[] = [
  { role: "user", parts: [{ type: "text", text: "go" }] },
  {
    role: "assistant",
    parts: [{ type: "tool-call", callId: "call_1", name: "apply_patch", arguments: patch, custom: true }],
  },
  {
    role: "user",
    parts: [
      {
        type: "tool-result",
        callId: "call_1",
        name: "apply_patch",
        custom: true,
        parts: [{ type: "text", text: "done" }],
      },
    ],
  },
];
const called = (args: string): Part => ({ type: "tool-call", callId: "call_2", name: "apply_patch", arguments: args });
const freeForm = expect.objectContaining({
  type: "tool-call",
  callId: "call_2",
  name: "apply_patch",
  arguments: patch,
  custom: true,
});

const targets = [
  ["openai-responses", "anthropic/claude-sonnet-4-6"],
  ["openai-responses", "google/gemini-2.5-pro"],
  ["openai-responses", "chat/up"],
  ["openai-chat", "anthropic/claude-sonnet-4-6"],
  ["openai-chat", "google/gemini-2.5-pro"],
] as const;

describe.each(targets)("a free-form tool of a %s client at %s", (client, model) => {
  test.each([true, false])("is a function of one text there, and comes back as it is; streamed: %s", async (stream) => {
    exchange.says(say(called(JSON.stringify({ input: patch }))));
    const toolChoice = { type: "tool", name: "apply_patch" } as const;
    const got = await exchange.ask(client, { model, messages: history, tools, stream, toolChoice });
    expect(got.response.parts).toEqual([freeForm]);
    expect(got.response.reason).toBe("tool-calls");
    // The grammar is told, but not enforced.
    expect(got.headers.get("heddle-dropped")).toContain("tools[0].format");
    const [heard] = exchange.heard();
    expect(heard?.request.tools[0]).toMatchObject({
      type: "function",
      name: "apply_patch",
      description: "Edits files.",
      parameters: {
        properties: { input: { type: "string", description: expect.stringContaining("Begin Patch") } },
        required: ["input"],
      },
    });
    expect(heard?.request.toolChoice).toEqual(toolChoice);
    const parts = heard?.request.messages.flatMap((message) => message.parts) ?? [];
    expect(JSON.parse(parts.find((part) => part.type === "tool-call")?.arguments ?? "")).toEqual({ input: patch });
    expect(parts.find((part) => part.type === "tool-result")).toMatchObject({
      parts: [{ type: "text", text: "done" }],
    });
  });
});

test("OpenAI's wires have such tools themselves", async () => {
  exchange.says(say({ ...called(patch), custom: true } as Part));
  const got = await exchange.ask("openai-chat", { model: "openai/gpt-5", messages: history, tools });
  expect(got.response.parts).toEqual([freeForm]);
  expect(exchange.heard()[0]?.body["tools"]).toEqual([expect.objectContaining({ type: "custom", format: grammar })]);
  expect(got.headers.get("heddle-dropped")).toBeNull();
});

describe("the restored call", () => {
  const target = { provider: "bedrock", maker: "anthropic", model: "anthropic.claude-sonnet-4-5-v1:0", dialect: {} };
  const request: ChatRequest = { model: "m", stream: true, system: [], messages: history, tools, sampling: {} };
  const pieces = (args: string, cuts: readonly number[]): StreamEvent[] => [
    { type: "response-start", id: "r", model: "m" },
    { type: "part-start", index: 0, part: { type: "tool-call", callId: "c", name: "apply_patch", arguments: "" } },
    ...[0, ...cuts].map((from, at): StreamEvent => ({
      type: "part-delta",
      index: 0,
      delta: { type: "arguments", text: args.slice(from, cuts[at]) },
    })),
    { type: "part-end", index: 0 },
    { type: "response-end", reason: "tool-calls" },
  ];
  const restored = (args: string, cuts: readonly number[] = []): ChatResponse => {
    const { restore } = adapt(request, "bedrock-converse", target);
    return fold(pieces(args, cuts).flatMap((event) => restore?.events([event]) ?? []));
  };
  const textOf = ({ parts }: ChatResponse): string => (parts[0]?.type === "tool-call" ? parts[0].arguments : "no call");

  test("is the same wherever its arguments were cut, and no delta cuts a character", () => {
    const unicode = string({ unit: "binary" });
    const spelling = constantFrom(
      (text: string) => JSON.stringify({ input: text }),
      (text: string) => JSON.stringify({ input: text }, null, 2),
      (text: string) => JSON.stringify({ before: 1, input: text }),
      // Every character escaped, pairs among them.
      (text: string) =>
        `{"input":"${[...Array(text.length).keys()].map((at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"}`,
    );
    const cuts = array(nat(200), { maxLength: 8 });
    assert(
      property(unicode, spelling, cuts, (text, spell, places) => {
        const args = spell(text);
        const sorted = [...new Set(places.filter((at) => at < args.length))].toSorted((a, b) => a - b);
        const { restore } = adapt(request, "bedrock-converse", target);
        const events = pieces(args, sorted).flatMap((event) => restore?.events([event]) ?? []);
        expect(textOf(fold(events))).toBe(text);
        const deltas = events.flatMap((event) =>
          event.type === "part-delta" && event.delta.type === "arguments" ? [event.delta.text] : [],
        );
        expect(deltas.every((piece) => piece.isWellFormed())).toBe(true);
      }),
    );
  });

  test("comes as it is made, not all at the end", () => {
    const { restore } = adapt(request, "bedrock-converse", target);
    const [, start, delta] = pieces('{"input":"abc', []);
    expect([start, delta].flatMap((event) => restore?.events(event === undefined ? [] : [event]) ?? [])).toEqual([
      {
        type: "part-start",
        index: 0,
        part: { type: "tool-call", callId: "c", name: "apply_patch", arguments: "", custom: true },
      },
      { type: "part-delta", index: 0, delta: { type: "arguments", text: "abc" } },
    ]);
  });

  test.each([
    ["no arguments", "", ""],
    ["none, as an object", "{}", ""],
    ["text that is no JSON", "*** Begin", "*** Begin"],
    ["another field", '{"patch":"x"}', '{"patch":"x"}'],
    ["a text cut off at the limit", '{"input":"half of', "half of"],
    ["a raw line break", '{"input":"a\nb"}', '{"input":"a\nb"}'],
  ])("of %s loses nothing", (_name, args, text) => {
    expect(textOf(restored(args))).toBe(text);
  });

  test("is Converse's too", () => {
    const adapted = adapt(request, "bedrock-converse", target);
    const body = JSON.stringify(bedrockConverse.encodeRequest(adapted.request, target).body);
    expect(body).toContain('"toolUse":{"toolUseId":"call_1","name":"apply_patch","input":{"input":');
    expect(adapted.dropped).toEqual(["tools[0].format"]);
  });
});
