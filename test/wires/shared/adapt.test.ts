// A request made fit for one target: state of other makers, calls without results, hosted tools, files of other hosts.
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../lib/model/json.ts";
import type { Message, Opaque, OpaquePart, Part, ReasoningPart } from "../../../lib/model/message.ts";
import type { ChatRequest } from "../../../lib/model/request.ts";
import type { WireId } from "../../../lib/model/wire-id.ts";
import { adapt, strictDrops } from "../../../lib/wires/shared/adapt.ts";
import { wires } from "../../../lib/wires/index.ts";
import type { Dialect, Target } from "../../../lib/wires/wire.ts";

const makers: Record<WireId, string> = {
  "anthropic-messages": "anthropic",
  "openai-chat": "vllm",
  "openai-responses": "openai",
  "gemini-generate": "google",
  "bedrock-converse": "anthropic",
};
const models: Record<WireId, string> = {
  "anthropic-messages": "claude-sonnet-4-5",
  "openai-chat": "up",
  "openai-responses": "gpt-5",
  "gemini-generate": "gemini-3-pro-preview",
  "bedrock-converse": "anthropic.claude-sonnet-4-5-v1:0",
};
const all = Object.keys(wires) as WireId[];
const targetOn = (wire: WireId, dialect: Dialect = {}): Target => ({
  provider: "p",
  maker: makers[wire],
  model: models[wire],
  dialect,
});
const requestOf = (messages: Message[], more: Partial<ChatRequest> = {}): ChatRequest => ({
  model: "m",
  stream: false,
  system: [],
  messages,
  tools: [],
  sampling: {},
  maxOutputTokens: 4_096,
  reasoning: { budgetTokens: 2_048 },
  ...more,
});
const sent = (
  request: ChatRequest,
  wire: WireId,
  dialect: Dialect = {},
): { body: JsonObject; text: string; dropped: string[] } => {
  const target = targetOn(wire, dialect);
  const adapted = adapt(request, wire, target);
  const encoded = wires[wire].encodeRequest(adapted.request, target);
  return { body: encoded.body, text: JSON.stringify(encoded.body), dropped: [...adapted.dropped, ...encoded.dropped] };
};

const hi: Message = { role: "user", parts: [{ type: "text", text: "hi" }] };
const said = (...parts: Part[]): Message => ({ role: "assistant", parts });
const word: Part = { type: "text", text: "SAID" };

describe("what only its maker can read", () => {
  const state = "c2VjcmV0LXN0YXRl";
  const thoughts = (opaque: Opaque | undefined, more: Partial<ReasoningPart> = {}): Part => ({
    type: "reasoning",
    text: "THOUGHT",
    ...(opaque === undefined ? {} : { opaque }),
    ...more,
  });
  const everyKind = (origin: string): Message[] => [
    hi,
    said(
      thoughts({ origin, data: state }),
      thoughts({ origin, data: state }, { text: "" }),
      thoughts({ origin, data: state }, { text: "", redacted: true }),
      { type: "text", text: "SAID", opaque: { origin, data: state } },
      { type: "tool-call", callId: "call_1", name: "f", arguments: "{}", opaque: { origin, data: state } },
    ),
    {
      role: "user",
      parts: [{ type: "tool-result", callId: "call_1", name: "f", parts: [{ type: "text", text: "ok" }] }],
    },
  ];

  test.each(
    all.flatMap((wire) =>
      ["anthropic", "google", "openai", "vllm", "bedrock", "elsewhere"].map((origin) => [wire, origin] as const),
    ),
  )("on %s, made by %s, goes to its maker and to nobody else; what can be seen goes to all (F48)", (wire, origin) => {
    const { text } = sent(requestOf(everyKind(origin)), wire);
    expect(text).toContain("SAID");
    expect(text).toContain('"ok"');
    expect(text.includes(state)).toBe(origin === makers[wire]);
  });

  test.each(["anthropic-messages", "bedrock-converse"] as const)(
    "unsigned thinking never goes to Claude, on %s (F12)",
    (wire) => {
      for (const part of [
        thoughts(undefined),
        thoughts({ origin: "google", data: state }),
        thoughts({ origin: "openai", data: state }, { redacted: true }),
      ]) {
        const messages = JSON.stringify(sent(requestOf([hi, said(part, word), hi]), wire).body["messages"]);
        expect(messages).toContain("SAID");
        expect(messages).not.toMatch(/thinking"|THOUGHT|reasoningContent|redacted/);
      }
      // A turn that held nothing else is left out, not sent empty.
      expect(sent(requestOf([hi, said(thoughts(undefined)), hi]), wire).body["messages"]).toHaveLength(1);
    },
  );

  test.each(["anthropic-messages", "bedrock-converse"] as const)(
    "thinking with a signature alone goes back byte for byte, on %s (F10)",
    (wire) => {
      const data = "EqQBCgIYAhIkNDc+/=weird bytes \u00e9==";
      const { text } = sent(
        requestOf([hi, said(thoughts({ origin: "anthropic", data }, { text: "" }), word), hi]),
        wire,
      );
      expect(text).toContain(JSON.stringify(data));
    },
  );

  test("the same signature goes to every host of its maker (F13)", () => {
    const history = [hi, said(thoughts({ origin: "anthropic", data: state }), word), hi];
    for (const provider of ["anthropic", "another-account", "bedrock"]) {
      const target = { ...targetOn("anthropic-messages"), provider };
      const { request } = adapt(requestOf(history), "anthropic-messages", target);
      expect(request.messages[1]?.parts[0]).toEqual(thoughts({ origin: "anthropic", data: state }));
    }
  });

  test("visible thoughts go to hosts that want them back, without foreign state or ids", () => {
    const history = [hi, said(thoughts({ origin: "anthropic", data: state }, { id: "rs_1" }), word), hi];
    const { text } = sent(requestOf(history), "openai-chat", { replayReasoning: "reasoning_content" });
    expect(text).toContain('"reasoning_content":"THOUGHT"');
    expect(text).not.toMatch(/rs_1|c2Vjcm/);
    expect(sent(requestOf(history), "openai-chat").text).not.toContain("THOUGHT");
  });

  test("what an unknown host of Chat made goes to hosts of Chat that read such things, and nowhere else (F48)", () => {
    const history = [hi, said(thoughts({ origin: "openai-chat", data: state }), word), hi];
    expect(sent(requestOf(history), "openai-chat", { reasoningEffort: "openrouter" }).text).toContain(state);
    for (const wire of all) expect(sent(requestOf(history), wire).text).not.toContain(state);
  });

  test("items of a wire stay on it; elsewhere their words do, or they are named (F18, F48)", () => {
    const item = (more: Partial<OpaquePart>): Part => ({
      type: "opaque",
      wire: "anthropic-messages",
      value: { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} },
      ...more,
    });
    const history = [hi, said(item({}), word), hi];
    expect(sent(requestOf(history), "anthropic-messages").text).toContain("srvtoolu_1");
    const foreign = sent(requestOf([hi, said(item({ origin: "bedrock" }), word), hi]), "anthropic-messages");
    expect(foreign.text).not.toContain("srvtoolu_1");
    const elsewhere = sent(requestOf(history), "openai-responses");
    expect(elsewhere.text).not.toContain("srvtoolu_1");
    expect(elsewhere.dropped).toContain("messages[1].content[0]");
    expect(sent(requestOf([hi, said(item({ text: "FOUND" }), word), hi]), "openai-responses").text).toContain("FOUND");
  });

  test("a file's id goes to its own host; elsewhere it is an error that names the part", () => {
    const file = (origin: string): ChatRequest =>
      requestOf([{ role: "user", parts: [{ type: "document", source: { kind: "id", id: "file_1", origin } }] }]);
    expect(sent(file("anthropic"), "anthropic-messages").text).toContain("file_1");
    expect(() => sent(file("openai"), "anthropic-messages")).toThrow(
      expect.objectContaining({
        code: "invalid_request",
        details: expect.objectContaining({ param: "messages[0].content[0]" }),
      }),
    );
  });
});

describe("calls and results that lost each other", () => {
  const call = (callId: string): Part => ({ type: "tool-call", callId, name: "f", arguments: "{}" });
  const result = (callId: string, text = `result of ${callId}`): Part => ({
    type: "tool-result",
    callId,
    name: "f",
    parts: [{ type: "text", text }],
  });
  const user = (...parts: Part[]): Message => ({ role: "user", parts });
  const fit = (messages: Message[]): Message[] =>
    adapt(requestOf(messages), "anthropic-messages", targetOn("anthropic-messages")).request.messages;

  test("pairs stay as they are", () => {
    const history = [hi, said(word, call("a"), call("b")), user(result("a"), result("b")), said(word)];
    expect(fit(history)).toEqual(history);
  });
  test("a call without a result is left out, and its turn where nothing else was in it (F51)", () => {
    expect(fit([hi, said(word, call("a"), call("b")), user(result("b")), hi])).toEqual([
      hi,
      said(word, call("b")),
      user(result("b")),
      hi,
    ]);
    expect(fit([hi, said(call("a")), hi])).toEqual([hi, hi]);
    const thought: Part = { type: "reasoning", text: "t", opaque: { origin: "anthropic", data: "s" } };
    expect(fit([hi, said(thought, call("a")), hi])).toEqual([hi, hi]);
  });
  test("a result without a call is told as words of the user (F51)", () => {
    expect(fit([user(result("gone"), { type: "text", text: "next" })])).toEqual([
      user({ type: "text", text: "result of gone" }, { type: "text", text: "next" }),
    ]);
  });
  test("calls of the last turn may still be open (F51)", () => {
    const history = [hi, said(call("a"))];
    expect(fit(history)).toEqual(history);
  });
  test.each(all)("on %s no call and no result is without its other (F51)", (wire) => {
    const history = [
      user(result("gone")),
      hi,
      said(word, call("open"), call("closed")),
      user(result("closed")),
      said(word),
      hi,
    ];
    const { text } = sent(requestOf(history, { tools: [{ type: "function", name: "f" }] }), wire);
    expect(text).not.toMatch(/"open"/);
    expect(text).toContain("result of gone");
    expect(text).toContain("result of closed");
  });
});

describe("tools that a provider runs itself", () => {
  const hosted = (kind: "web-search" | "code-execution" | "web-fetch"): ChatRequest =>
    requestOf([hi], {
      tools: [
        { type: "function", name: "f" },
        {
          type: "hosted",
          wire: "anthropic-messages",
          kind,
          value: { type: "own_of_anthropic", name: kind, user_location: { type: "approximate", city: "Bern" } },
        },
      ],
    });
  test.each([
    ["anthropic-messages", "web-search", '"type":"own_of_anthropic"'],
    [
      "openai-chat",
      "web-search",
      '"web_search_options":{"user_location":{"type":"approximate","approximate":{"city":"Bern"}}}',
    ],
    ["openai-responses", "web-search", '"type":"web_search"'],
    ["gemini-generate", "web-search", '"googleSearch":{}'],
    ["openai-responses", "code-execution", '"type":"code_interpreter"'],
    ["gemini-generate", "code-execution", '"codeExecution":{}'],
    ["gemini-generate", "web-fetch", '"urlContext":{}'],
  ] as const)("on %s, %s is the wire's own", (wire, kind, form) => {
    const { text, dropped } = sent(hosted(kind), wire);
    expect(text).toContain(form);
    expect(dropped).toEqual([]);
  });
  test.each([
    ["openai-chat", "code-execution"],
    ["openai-chat", "web-fetch"],
    ["openai-responses", "web-fetch"],
    ["bedrock-converse", "code-execution"],
  ] as const)("on %s, %s has no form and is named by its place (F18)", (wire, kind) => {
    const { text, dropped } = sent(hosted(kind), wire);
    expect(text).not.toContain("own_of_anthropic");
    expect(dropped).toEqual(["tools[1]"]);
  });
  test("that are one wire's alone are named elsewhere (F18)", () => {
    const request = requestOf([hi], {
      tools: [{ type: "hosted", wire: "openai-responses", value: { type: "file_search", vector_store_ids: ["vs_1"] } }],
    });
    for (const wire of all)
      expect(sent(request, wire).dropped).toEqual(wire === "openai-responses" ? [] : ["tools[0]"]);
  });
});

test("the refusal of a strict caller names every field, the first as its param (F18)", () => {
  const error = strictDrops(["seed", "tools[1]"]);
  expect(error).toMatchObject({ code: "unsupported_field", status: 400, details: { param: "seed" } });
  expect(error.message).toContain("seed, tools[1]");
});
