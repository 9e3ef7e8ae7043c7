// Tool calls and stop reasons, from every host to every client, as the official SDK of the client's wire reads them.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { StopReason } from "../../lib/model/event.ts";
import type { Message, Part } from "../../lib/model/message.ts";
import type { FunctionTool } from "../../lib/model/request.ts";
import { clientWireIds } from "../../lib/model/wire-id.ts";
import { type Exchange, hostOfWire, say, startExchange } from "../support/exchange.ts";
import { readWithSdk } from "../support/sdk.ts";

let exchange: Exchange;
beforeAll(async () => {
  exchange = await startExchange();
});
afterAll(() => exchange.stop());

const messages: Message[] = [{ role: "user", parts: [{ type: "text", text: "go" }] }];
const tools = ["look", "listen", "wait"].map((name): FunctionTool => ({
  type: "function",
  name,
  parameters: { type: "object", properties: {} },
}));
const call = (name: string, args: string): Part => ({
  type: "tool-call",
  callId: `call_${name}`,
  name,
  arguments: args,
});
const ways = clientWireIds.flatMap((client) =>
  clientWireIds.flatMap((host) => [true, false].map((stream) => ({ client, host, stream }))),
);
const translated = ways.filter(({ client, host }) => client !== host);

describe.each(ways)("from $host to $client, streamed: $stream", ({ client, host, stream }) => {
  test("parallel calls stay apart, one without arguments has {}, and they mean a stop for tools (F1, F2, F3)", async () => {
    exchange.says(
      say(
        { type: "text", text: "I do." },
        call("look", '{"at":"sky","far":true}'),
        call("listen", '{"to":"sea"}'),
        call("wait", "{}"),
      ),
    );
    const got = await exchange.ask(client, {
      model: `${hostOfWire[host]}/up`,
      messages,
      tools,
      stream,
      includeUsage: true,
    });
    const read = await readWithSdk[client](got.text, stream);
    expect(read).toMatchObject({
      text: "I do.",
      calls: [
        { name: "look", arguments: { at: "sky", far: true } },
        { name: "listen", arguments: { to: "sea" } },
        { name: "wait", arguments: {} },
      ],
      stop: "tool",
    });
  });
});

describe("a host that gets it wrong", () => {
  const chunk = (delta: object, finish: string | null = null): string =>
    `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "up", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  const frames = [
    // Azure's first frame, and one without a delta.
    `data: ${JSON.stringify({ id: "", object: "", created: 0, model: "", choices: [], prompt_filter_results: [{ prompt_index: 0 }] })}\n\n`,
    `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "up", choices: [{ index: 0, content_filter_results: {} }] })}\n\n`,
    chunk({ role: "assistant", content: "" }),
    // Two calls whose pieces come mixed, the second without arguments, and `stop` at the end.
    chunk({ tool_calls: [{ index: 0, id: "call_a", type: "function", function: { name: "look", arguments: "" } }] }),
    chunk({ tool_calls: [{ index: 1, id: "call_b", type: "function", function: { name: "wait", arguments: "" } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: '{"at":' } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: '"sky"}' } }] }),
    chunk({}, "stop"),
    "data: [DONE]\n\n",
  ].join("");

  test.each(clientWireIds.filter((client) => client !== "openai-chat"))(
    "is set right for a %s client (F1, F2, F3, F7)",
    async (client) => {
      const host = await startExchange();
      try {
        host.upstream.answer((_request, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" });
          response.end(frames);
        });
        const got = await host.ask(client, { model: "chat/up", messages, tools, stream: true });
        expect(await readWithSdk[client](got.text, true)).toMatchObject({
          calls: [
            { name: "look", arguments: { at: "sky" } },
            { name: "wait", arguments: {} },
          ],
          stop: "tool",
        });
      } finally {
        await host.stop();
      }
    },
  );
});

describe("why an answer ended", () => {
  /** As the SDK summaries name it. */
  const reasons: [StopReason, string][] = [
    ["end", "end"],
    ["length", "length"],
    ["content-filter", "filter"],
  ];
  test.each(
    translated.flatMap((way) =>
      reasons.map(([reason, stop]) => ({ client: way.client, host: way.host, stream: way.stream, reason, stop })),
    ),
  )(
    "reaches a $client client from $host: $reason, streamed: $stream (F4)",
    async ({ client, host, stream, reason, stop }) => {
      exchange.says({ parts: [{ type: "text", text: "Words" }], reason });
      const got = await exchange.ask(client, { model: `${hostOfWire[host]}/up`, messages, stream, includeUsage: true });
      expect(got.text).not.toMatch(/unknown|UNSPECIFIED/i);
      expect(await readWithSdk[client](got.text, stream)).toMatchObject({ text: "Words", stop });
    },
  );
});

describe("ids", () => {
  const prefixes = {
    "anthropic-messages": /^msg_/,
    "openai-chat": /^chatcmpl-/,
    "openai-responses": /^resp_/,
    "gemini-generate": /./,
  };
  test.each(translated)(
    "of a $client client's answer from $host have their prefix, streamed: $stream (F6)",
    async ({ client, host, stream }) => {
      exchange.says(say({ type: "text", text: "Words" }));
      const got = await exchange.ask(client, { model: `${hostOfWire[host]}/up`, messages, stream });
      expect(got.response.id).toMatch(prefixes[client]);
    },
  );
});
