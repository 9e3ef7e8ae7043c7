// Google's two SDKs read what this wire writes: recorded streams re-encoded, signs of life, errors.
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { GoogleGenAI } from "@google/genai";
import { GoogleGenerativeAI } from "@google/generative-ai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GatewayError } from "../../../lib/model/error.ts";
import type { ChatResponse, StreamEvent } from "../../../lib/model/event.ts";
import { isObject, type JsonObject } from "../../../lib/model/json.ts";
import { geminiGenerate } from "../../../lib/wires/gemini-generate/index.ts";
import { fold, unfold } from "../../../lib/wires/shared/fold.ts";
import { bodyOf, haveRecordings, recordings } from "../../recorded.ts";
import { context, read, target, write } from "./support.ts";

/** What the server answers, by model name. */
const answers = new Map<string, { status: number; type: string; body: string }>();
let server: Server;
let baseUrl = "";

beforeAll(async () => {
  server = createServer((incoming, outgoing) => {
    const name = decodeURIComponent(/models\/([^:]+)/.exec(incoming.url ?? "")?.[1] ?? "");
    const found = answers.get(name) ?? { status: 404, type: "text/plain", body: name };
    incoming.resume();
    outgoing.writeHead(found.status, { "content-type": found.type });
    outgoing.end(found.body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
});

const genai = () => new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl } });
const generativeAi = (model: string) => new GoogleGenerativeAI("k").getGenerativeModel({ model }, { baseUrl });

type Seen = { text: string; calls: { name: string; args: unknown }[]; finish: string | undefined; usage: JsonObject };

const withGenai = async (name: string): Promise<Seen> => {
  const seen: Seen = { text: "", calls: [], finish: undefined, usage: {} };
  for await (const chunk of await genai().models.generateContentStream({ model: name, contents: "hi" })) {
    for (const part of chunk.candidates?.[0]?.content?.parts ?? []) {
      if (part.text !== undefined && part.thought !== true) seen.text += part.text;
      if (part.functionCall !== undefined)
        seen.calls.push({ name: part.functionCall.name ?? "", args: part.functionCall.args ?? {} });
    }
    seen.finish = chunk.candidates?.[0]?.finishReason ?? seen.finish;
    if (chunk.usageMetadata !== undefined) seen.usage = chunk.usageMetadata as unknown as JsonObject;
  }
  return seen;
};

const withGenerativeAi = async (name: string): Promise<Seen> => {
  const seen: Seen = { text: "", calls: [], finish: undefined, usage: {} };
  const { stream, response } = await generativeAi(name).generateContentStream("hi");
  for await (const chunk of stream) {
    for (const part of chunk.candidates?.[0]?.content?.parts ?? []) {
      if (part.text !== undefined && !("thought" in part)) seen.text += part.text;
      if (part.functionCall !== undefined)
        seen.calls.push({ name: part.functionCall.name, args: part.functionCall.args });
    }
    seen.finish = chunk.candidates?.[0]?.finishReason ?? seen.finish;
    if (chunk.usageMetadata !== undefined) seen.usage = chunk.usageMetadata as unknown as JsonObject;
  }
  // Its own gathered answer must hold each call once.
  const gathered = (await response).candidates?.[0]?.content?.parts ?? [];
  expect(gathered.filter((part) => part.functionCall !== undefined)).toHaveLength(seen.calls.length);
  return seen;
};

const expected = (answer: ChatResponse): Omit<Seen, "finish" | "usage"> => ({
  text: answer.parts.map((part) => (part.type === "text" ? part.text : "")).join(""),
  calls: answer.parts.flatMap((part) =>
    part.type === "tool-call"
      ? [{ name: part.name, args: JSON.parse(part.arguments) as unknown }]
      : // What a server was called for and has answered in place still stands in the answer.
        part.type === "opaque" && isObject(part.value) && isObject(part.value["functionCall"])
        ? [{ name: part.value["functionCall"]["name"] as string, args: part.value["functionCall"]["args"] }]
        : [],
  ),
});

const serve = (name: string, body: string): void => {
  answers.set(name, { status: 200, type: geminiGenerate.streamType, body });
};

const clients = [
  ["@google/genai", withGenai],
  ["@google/generative-ai", withGenerativeAi],
] as const;

const streams = recordings("gemini").filter((record) => record.stream && record.status === 200);

describe.skipIf(!haveRecordings).each(clients)("recorded streams, written again, through %s", (_name, run) => {
  it.each(streams.map((record) => [record.id, record] as const))("%s", async (id, record) => {
    const events = read([bodyOf(record)], target());
    const answer = fold(events);
    serve(id, write(events, 3));
    const seen = await run(id);
    expect(seen).toMatchObject(expected(answer));
    expect(seen.finish).toBe(answer.native);
    expect(seen.usage["promptTokenCount"]).toBe(answer.usage?.extra?.["gemini-generate"]?.["promptTokenCount"]);
  });
});

const plain: ChatResponse = {
  id: "msg_1",
  model: "claude",
  parts: [
    { type: "reasoning", text: "Hm.", opaque: { origin: "anthropic", data: "sig" } },
    { type: "text", text: "Grüße 👋" },
    { type: "tool-call", callId: "toolu_1", name: "a", arguments: '{"x":1}' },
    { type: "tool-call", callId: "toolu_2", name: "b", arguments: "" },
  ],
  reason: "tool-calls",
  native: "tool_use",
  usage: { input: 7, output: 9, reasoning: 4 },
};

describe.each(clients)("%s", (_name, run) => {
  it("reads an answer of another wire, parallel calls among it (F1, F2)", async () => {
    serve("cross", write(unfold(plain)));
    const seen = await run("cross");
    expect(seen).toMatchObject({
      text: "Grüße 👋",
      calls: [
        { name: "a", args: { x: 1 } },
        { name: "b", args: {} },
      ],
      finish: "STOP",
      usage: { promptTokenCount: 7, candidatesTokenCount: 5, thoughtsTokenCount: 4, totalTokenCount: 16 },
    });
  });

  it("is not disturbed by heartbeats between events (F9)", async () => {
    const encoder = geminiGenerate.encodeEvents(context);
    let body = "";
    for (const event of unfold(plain)) body += encoder.push([event]) + geminiGenerate.heartbeat;
    // None follows the last event.
    serve("beat", body.slice(0, -geminiGenerate.heartbeat.length) + encoder.end());
    expect(await run("beat")).toMatchObject({ text: "Grüße 👋", finish: "STOP" });
  });
});

describe("errors", () => {
  const error = new GatewayError("rate_limited", "Slow down.", { retryAfterMs: 1500 });

  it("@google/genai throws on an error in the stream, with its status (F26)", async () => {
    const events: StreamEvent[] = [...unfold(plain).slice(0, 4), { type: "error", error }];
    serve("broken", write(events));
    await expect(withGenai("broken")).rejects.toMatchObject({ status: 429 });
  });

  it("both read the envelope of an error before it (F28)", async () => {
    const { status, headers, body } = geminiGenerate.encodeError(error, "req");
    answers.set("no", { status, type: headers["content-type"] ?? "", body: JSON.stringify(body) });
    const once = { model: "no", contents: "x", config: { httpOptions: { retryOptions: { attempts: 1 } } } };
    await expect(genai().models.generateContent(once)).rejects.toMatchObject({ status: 429 });
    await expect(generativeAi("no").generateContent("x")).rejects.toMatchObject({ status: 429 });
  });

  it("an SDK chat keeps its history over heartbeats and a final empty text", async () => {
    serve("chat", write(unfold({ ...plain, parts: [{ type: "text", text: "one two" }], reason: "end" })));
    const chat = genai().chats.create({ model: "chat" });
    for await (const _chunk of await chat.sendMessageStream({ message: "hi" })) {
      // Reading to the end records the history.
    }
    const history = chat.getHistory(true);
    expect(history.map((content) => content.role)).toEqual(["user", "model", "model"]);
    const again = geminiGenerate.decodeRequest(
      { contents: history as unknown as JsonObject[] },
      { model: "chat", stream: true },
    );
    expect(again.messages[1]?.parts).toEqual([{ type: "text", text: "one two" }]);
  });
});
