// The stream's encoder on its own, and threads with tools, which other wires bring in.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GatewayError } from "../../../lib/model/error.ts";
import type { StreamEvent } from "../../../lib/model/event.ts";
import { createEncoder } from "../../../lib/routes/siili/stream.ts";
import { dataFolder } from "../../support/data.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";
import { siiliClient, storeOf, type SiiliClient } from "./client.ts";

type Told = { thread_id: string; event_type: string; timestamp: number; data: Record<string, unknown> };
const encode = (events: readonly StreamEvent[]): string => {
  const encoder = createEncoder("thread_1", "m", 1_700_000_000_000);
  return events.map((event) => encoder.push(event)).join("");
};
const told = (events: readonly StreamEvent[]): [string, Record<string, unknown>][] =>
  encode(events)
    .split("\n\n")
    .filter((text) => text !== "")
    .map((text) => JSON.parse(text) as Told)
    .map((event) => [event.event_type, event.data]);

const start: StreamEvent = { type: "response-start", id: "r", model: "m" };
const end: StreamEvent = { type: "response-end", reason: "end" };
const text = (index: number, piece: string, summary?: number): StreamEvent => ({
  type: "part-delta",
  index,
  delta: { type: "text", text: piece, ...(summary === undefined ? {} : { summary }) },
});
const part = (index: number, type: "text" | "reasoning" | "refusal"): StreamEvent => ({
  type: "part-start",
  index,
  part: { type, text: "" },
});
const over = (index: number): StreamEvent => ({ type: "part-end", index });
const call = (index: number, callId: string): StreamEvent => ({
  type: "part-start",
  index,
  part: { type: "tool-call", callId, name: "look_up", arguments: "" },
});
const args = (index: number, piece: string): StreamEvent => ({
  type: "part-delta",
  index,
  delta: { type: "arguments", text: piece },
});

describe("the encoder", () => {
  test("reasoning, text, a call and its result; parts that say nothing are no blocks", () => {
    expect(
      told([
        start,
        part(0, "reasoning"),
        text(0, "Hm", 0),
        text(0, "so", 1),
        over(0),
        part(1, "text"),
        over(1),
        part(2, "text"),
        text(2, "Let me see."),
        over(2),
        call(3, "call_1"),
        args(3, '{"bird":'),
        args(3, '"heron"}'),
        over(3),
        {
          type: "part-start",
          index: 4,
          part: { type: "tool-result", callId: "call_1", parts: [{ type: "text", text: "grey" }] },
        },
        over(4),
        end,
      ]),
    ).toEqual([
      ["BlockAdded", { message_id: "m", block: { id: "m_0", streaming: true, type: "reasoning", content: "" } }],
      ["StreamingUpdated", { block_id: "m_0", content: "Hm" }],
      ["StreamingUpdated", { block_id: "m_0", content: "\n\nso" }],
      ["BlockFullyAdded", { message_id: "m", block_id: "m_0" }],
      ["BlockAdded", { message_id: "m", block: { id: "m_1", streaming: true, type: "plain", content: "" } }],
      ["StreamingUpdated", { block_id: "m_1", content: "Let me see." }],
      ["BlockFullyAdded", { message_id: "m", block_id: "m_1" }],
      [
        "BlockAdded",
        {
          message_id: "m",
          block: {
            id: "m_2",
            streaming: true,
            type: "tool_use",
            tool_call_id: "call_1",
            tool_name: "look_up",
            tool_call_args: { bird: "heron" },
          },
        },
      ],
      ["BlockFullyAdded", { message_id: "m", block_id: "m_2" }],
      ["ToolResponseReceived", { tool_call_id: "call_1", response: "grey", block_id: "m_2" }],
      ["MessageFullyAdded", { message_id: "m" }],
    ]);
  });

  test("calls without arguments have none (F2); parallel ones come one after another (F1)", () => {
    const blocks = told([
      start,
      call(0, "a"),
      call(1, "b"),
      args(1, '{"n":2}'),
      args(0, ""),
      over(1),
      over(0),
      end,
    ]).filter(([type]) => type === "BlockAdded");
    expect(blocks.map(([, data]) => data["block"])).toMatchObject([
      { id: "m_0", tool_call_id: "a", tool_call_args: {} },
      { id: "m_1", tool_call_id: "b", tool_call_args: { n: 2 } },
    ]);
  });

  test("an error closes what is open, leaves half a call out, and says why (F26)", () => {
    const error = new GatewayError("rate_limited", "Too many.");
    const events = told([
      start,
      part(0, "text"),
      text(0, "Well"),
      over(0),
      call(1, "a"),
      args(1, '{"n'),
      { type: "error", error },
    ]);
    expect(events.slice(2)).toEqual([
      ["BlockFullyAdded", { message_id: "m", block_id: "m_0" }],
      [
        "BlockAdded",
        { message_id: "m", block: { id: "m_error", streaming: false, type: "error", content: "Too many." } },
      ],
      ["BlockFullyAdded", { message_id: "m", block_id: "m_error" }],
      ["MessageFullyAdded", { message_id: "m" }],
      ["Error", { error_message: "Too many.", error_type: "rate_limited" }],
    ]);
  });

  test("the same events are the same bytes, without data:, parted by blank lines", () => {
    const events = [start, part(0, "refusal"), text(0, "No.\n\nNever."), over(0), end];
    expect(encode(events)).toBe(encode(events));
    expect(encode(events)).not.toMatch(/^data:/m);
    expect(encode(events).split("\n\n")).toHaveLength(5);
  });
});

describe("on threads that others work on too", () => {
  const data = dataFolder();
  let gateway: TestGateway;
  let ada: SiiliClient;
  beforeAll(async () => {
    gateway = await startGateway(
      "{ providers: { echo: { kind: echo, pace: 0 } }, siili: { model: echo/echo-reasoning } }",
      {
        HEDDLE_DATA: data.path,
      },
    );
    ada = siiliClient(gateway.url);
  });
  afterAll(async () => {
    await gateway.stop();
    data.remove();
  });

  type Chat = { choices: { message: { tool_calls?: { id: string }[] } }[] };
  const chat = async (thread: string, messages: unknown[]): Promise<Chat> => {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "heddle-thread": thread },
      body: JSON.stringify({
        model: "echo/echo",
        messages,
        tools: [
          {
            type: "function",
            function: {
              name: "look_up",
              parameters: { type: "object", properties: { bird: { type: "string" } }, required: ["bird"] },
            },
          },
        ],
      }),
    });
    expect(response.status, await response.clone().text()).toBe(200);
    return (await response.json()) as Chat;
  };

  test("reasoning is a block of its own", async () => {
    const { id } = await ada.createThread();
    const events = await ada.stream(id, { content: "why do herons stand on one leg?" });
    const messages = await ada.messages(id);
    expect(messages[1]!.blocks.map(({ type }) => type)).toEqual(["reasoning", "plain"]);
    expect(storeOf(events)).toEqual(messages);
  });

  test("calls of tools stand with their results", async () => {
    const { id } = await ada.createThread();
    const asked = await chat(id, [{ role: "user", content: "look up a heron" }]);
    const callId = asked.choices[0]!.message.tool_calls![0]!.id;
    const [, parked] = await ada.messages(id);
    const block = parked!.blocks.find(({ type }) => type === "tool_use")!;
    expect(block).toMatchObject({ tool_call_id: callId, tool_name: "look_up", streaming: false });
    expect(Object.keys(block.tool_call_args!)).toEqual(["bird"]);
    expect(block).not.toHaveProperty("tool_call_response");

    await chat(id, [{ role: "tool", tool_call_id: callId, content: "grey" }]);
    const messages = await ada.messages(id);
    expect(messages.map(({ ai }) => ai)).toEqual([false, true, true]);
    expect(messages[1]!.blocks.find(({ type }) => type === "tool_use")).toMatchObject({ tool_call_response: "grey" });
    expect(messages[2]!.blocks.at(-1)?.content).toContain("grey");
  });

  test("a message sent while tools are waited for goes on without them", async () => {
    const { id } = await ada.createThread();
    await chat(id, [{ role: "user", content: "look up a heron" }]);
    const events = await ada.stream(id, { content: "never mind, what about storks?" });
    expect(events.at(-1)?.event_type).toBe("MessageFullyAdded");
    const messages = await ada.messages(id);
    expect(messages.map(({ ai }) => ai)).toEqual([false, true, false, true]);
    expect(storeOf(events)).toEqual(messages.slice(2));
    await chat(id, [{ role: "user", content: "look up a stork" }]);
    expect(await ada.cancel(id)).toMatchObject({ success: true });
  });
});
