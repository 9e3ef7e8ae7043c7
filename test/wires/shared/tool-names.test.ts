// Names and ids of tools that a target refuses, through the gateway: mapped on the way there, and back on the way here.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Message, ToolCallPart } from "../../../lib/model/message.ts";
import type { ChatRequest, FunctionTool } from "../../../lib/model/request.ts";
import { clientWireIds } from "../../../lib/model/wire-id.ts";
import { mapToolNames } from "../../../lib/wires/shared/tool-names.ts";
import { type Exchange, hostOfWire, say, startExchange } from "../../support/exchange.ts";

let exchange: Exchange;
beforeAll(async () => {
  exchange = await startExchange();
});
afterAll(() => exchange.stop());

const names = [
  "files.read/all of it",
  "1st_tool",
  "päng",
  `long_${"x".repeat(140)}`,
  `long_${"x".repeat(139)}y`,
  "plain_name",
];
const tools: FunctionTool[] = names.map((name) => ({
  type: "function",
  name,
  parameters: { type: "object", properties: {} },
}));
const call = (name: string, callId: string): ToolCallPart => ({ type: "tool-call", callId, name, arguments: "{}" });

const pairs = clientWireIds.flatMap((client) =>
  clientWireIds
    .filter((host) => host !== client)
    .flatMap((host) => [true, false].map((stream) => ({ client, host, stream }))),
);
const legal = {
  "anthropic-messages": /^[A-Za-z0-9_-]{1,128}$/,
  "openai-chat": /^[A-Za-z0-9_-]{1,64}$/,
  "openai-responses": /^[A-Za-z0-9_-]{1,64}$/,
  "gemini-generate": /^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$/,
};

describe("tool names", () => {
  test.each(pairs)(
    "of a $client client are such as a $host host takes, in tools, choice and history, and the client's own in its answer; streamed: $stream (F20)",
    async ({ client, host, stream }) => {
      const messages: Message[] = [
        { role: "user", parts: [{ type: "text", text: "go" }] },
        { role: "assistant", parts: names.map((name, at) => call(name, `call_${at}`)) },
        {
          role: "user",
          parts: names.map((name, at) => ({
            type: "tool-result",
            callId: `call_${at}`,
            name,
            parts: [{ type: "text", text: "done" }],
          })),
        },
      ];
      exchange.says(({ request }) =>
        say(...request.tools.map((tool, at) => call(tool.type === "hosted" ? "" : tool.name, `call_new${at}`))),
      );
      const toolChoice = { type: "tool", name: names[0] ?? "" } as const;
      const got = await exchange.ask(client, { model: `${hostOfWire[host]}/up`, stream, messages, tools, toolChoice });
      expect(got.text).toContain("plain_name");
      expect(got.response.parts.flatMap((part) => (part.type === "tool-call" ? [part.name] : []))).toEqual(names);

      const [heard] = exchange.heard();
      const sent = heard?.request.tools.map((tool) => (tool.type === "hosted" ? "" : tool.name)) ?? [];
      expect(new Set(sent).size).toBe(names.length);
      expect(sent.filter((name) => !legal[host].test(name))).toEqual([]);
      expect(sent.at(-1)).toBe("plain_name");
      const said = heard?.request.messages.flatMap((message) => message.parts) ?? [];
      expect(said.flatMap((part) => (part.type === "tool-call" ? [part.name] : []))).toEqual(sent);
      expect(heard?.request.toolChoice).toEqual({ type: "tool", name: sent[0] });
    },
  );

  test("that pass as bytes stay what they are", async () => {
    await exchange.ask("openai-chat", {
      model: "chat/up",
      messages: [{ role: "user", parts: [{ type: "text", text: "go" }] }],
      tools,
    });
    expect(exchange.heard()[0]?.request.tools.map((tool) => (tool.type === "hosted" ? "" : tool.name))).toEqual(names);
  });

  test("are mapped the same in every call, and in a subset that may be chosen (F20, F23)", () => {
    const request: ChatRequest = {
      model: "m",
      stream: false,
      system: [],
      messages: [],
      tools,
      sampling: {},
      toolChoice: { type: "subset", names: names.slice(0, 2), required: true },
    };
    const once = mapToolNames(request, "bedrock-converse").request;
    expect(mapToolNames(request, "bedrock-converse").request).toEqual(once);
    expect(once.toolChoice).toMatchObject({
      names: once.tools.slice(0, 2).map((tool) => (tool.type === "hosted" ? "" : tool.name)),
    });
    expect(mapToolNames({ ...request, tools: tools.slice(-1) }, "bedrock-converse").restore).toBeUndefined();
  });

  test("of further candidates come back too (F20)", () => {
    const request: ChatRequest = { model: "m", stream: false, system: [], messages: [], tools, sampling: {} };
    const { request: mapped, restore } = mapToolNames(request, "openai-chat");
    const [first] = mapped.tools;
    const made = call(first?.type === "function" ? first.name : "", "c");
    const response = restore?.response({
      id: "",
      model: "",
      parts: [made],
      reason: "tool-calls",
      alternatives: [{ parts: [made], reason: "tool-calls" }],
    });
    expect(response?.alternatives?.[0]?.parts[0]).toMatchObject({ name: names[0] });
    expect(response?.parts[0]).toMatchObject({ name: names[0] });
  });
});

test("call ids that a target refuses are legal there, the same for call and result, and different for different ones (F20)", async () => {
  const ids = ["call with spaces", "call:with/odd+signs", `call_${"x".repeat(100)}`];
  const messages: Message[] = [
    { role: "user", parts: [{ type: "text", text: "go" }] },
    { role: "assistant", parts: ids.map((id) => call("plain_name", id)) },
    {
      role: "user",
      parts: ids.map((callId) => ({
        type: "tool-result",
        callId,
        name: "plain_name",
        parts: [{ type: "text", text: "done" }],
      })),
    },
  ];
  for (const host of ["anthropic-messages", "openai-responses"] as const) {
    await exchange.ask("openai-chat", { model: `${hostOfWire[host]}/up`, messages, tools: tools.slice(-1) });
    const parts = exchange.heard()[0]?.request.messages.flatMap((message) => message.parts) ?? [];
    const calls = parts.flatMap((part) => (part.type === "tool-call" ? [part.callId] : []));
    expect(parts.flatMap((part) => (part.type === "tool-result" ? [part.callId] : []))).toEqual(calls);
    expect(new Set(calls).size).toBe(3);
    expect(calls.filter((id) => !/^[\x21-\x7e]{1,64}$/.test(id))).toEqual([]);
  }
});
