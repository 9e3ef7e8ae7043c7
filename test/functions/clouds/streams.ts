// How the gateway streams where it is deployed, whatever the cloud: the official SDKs have each event at once, and every stream ends well.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { type TestUpstream, until } from "../../support/gateway.ts";
import { type Instance, key } from "./app.ts";

type Event = { name?: string; data: unknown };

export const frame = ({ name, data }: Event): string =>
  `${name === undefined ? "" : `event: ${name}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

const openaiChunk = (delta: object, finish: string | null = null): Event => ({
  data: {
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1_780_000_000,
    model: "gpt-test",
    choices: [{ index: 0, delta, finish_reason: finish }],
  },
});

const words = ["Warp ", "and ", "weft."];

export const openaiScript: Event[] = [
  openaiChunk({ role: "assistant", content: "" }),
  ...words.map((content) => openaiChunk({ content })),
  openaiChunk({}, "stop"),
  { data: "[DONE]" },
];

const anthropicScript: Event[] = [
  {
    name: "message_start",
    data: {
      type: "message_start",
      message: {
        id: "msg_1",
        type: "message",
        role: "assistant",
        model: "claude-test",
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 3, output_tokens: 1 },
      },
    },
  },
  {
    name: "content_block_start",
    data: { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  },
  ...words.map((text) => ({
    name: "content_block_delta",
    data: { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } },
  })),
  { name: "content_block_stop", data: { type: "content_block_stop", index: 0 } },
  {
    name: "message_delta",
    data: {
      type: "message_delta",
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: 3 },
    },
  },
  { name: "message_stop", data: { type: "message_stop" } },
];

/** The four wires' streams of an echo that does as the prompt says. */
const requests: Record<string, (prompt: string) => { path: string; body: unknown; headers: Record<string, string> }> = {
  "openai-chat": (prompt) => ({
    path: "/v1/chat/completions",
    body: { model: "echo/echo", stream: true, messages: [{ role: "user", content: prompt }] },
    headers: { authorization: `Bearer ${key}` },
  }),
  "openai-responses": (prompt) => ({
    path: "/v1/responses",
    body: { model: "echo/echo", stream: true, store: false, input: prompt },
    headers: { authorization: `Bearer ${key}` },
  }),
  "anthropic-messages": (prompt) => ({
    path: "/v1/messages",
    body: { model: "echo/echo", stream: true, max_tokens: 100, messages: [{ role: "user", content: prompt }] },
    headers: { "x-api-key": key, "anthropic-version": "2023-06-01" },
  }),
  "gemini-generate": (prompt) => ({
    path: "/v1beta/models/echo%2Fecho:streamGenerateContent?alt=sse",
    body: { contents: [{ role: "user", parts: [{ text: prompt }] }] },
    headers: { "x-goog-api-key": key },
  }),
};

export const send = (to: Instance, wire: string, prompt: string): Promise<Response> => {
  const request = requests[wire]?.(prompt);
  return fetch(`${to.url}${request?.path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...request?.headers },
    body: JSON.stringify(request?.body),
  });
};

export type Streaming = {
  /** What answers for OpenAI and Anthropic. */
  upstream: () => TestUpstream;
  at: () => Instance;
  /** Another instance, whose answers must end in a few seconds. */
  startShort: () => Promise<Instance>;
  /** How the line begins that the platform writes when an invocation has ended. */
  endLine: string;
  faults: (instance: Instance) => string[];
};

/** Defines the tests, within the caller's `describe`. */
export const testStreams = ({ upstream, at, startShort, endLine, faults }: Streaming): void => {
  /** The upstream sends a word only when the client has the one before: a stream that is held back anywhere never ends. */
  const inStep = (script: readonly Event[]): { heard: () => void } => {
    const gates = words.map(() => Promise.withResolvers<void>());
    let heard = 0;
    upstream().answer(async (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const event of script) {
        const text = frame(event);
        const index = words.findIndex((word) => text.includes(JSON.stringify(word)));
        await gates[index - 1]?.promise;
        response.write(text);
      }
      response.end();
    });
    return {
      heard: () => {
        gates[heard]?.resolve();
        heard += 1;
      },
    };
  };

  const openaiWords = async (model: string, heard: () => void): Promise<string[]> => {
    const client = new OpenAI({ baseURL: `${at().url}/v1`, apiKey: key, maxRetries: 0 });
    const stream = await client.chat.completions.create({
      model,
      stream: true,
      messages: [{ role: "user", content: "Hi" }],
    });
    const got: string[] = [];
    for await (const chunk of stream) {
      const text = chunk.choices[0]?.delta.content ?? "";
      if (text === "") continue;
      got.push(text);
      heard();
    }
    return got;
  };

  test("the OpenAI SDK has each chunk as the upstream sends it", async () => {
    const { heard } = inStep(openaiScript);
    expect(await openaiWords("openai/gpt-test", heard)).toEqual(words);
  });

  test("the Anthropic SDK has each event as the upstream sends it", async () => {
    const { heard } = inStep(anthropicScript);
    const client = new Anthropic({ baseURL: at().url, apiKey: key, maxRetries: 0 });
    const got: string[] = [];
    const stream = client.messages.stream({
      model: "anthropic/claude-test",
      max_tokens: 100,
      messages: [{ role: "user", content: "Hi" }],
    });
    for await (const event of stream)
      if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
        got.push(event.delta.text);
        heard();
      }
    expect(got).toEqual(words);
    expect((await stream.finalMessage()).stop_reason).toBe("end_turn");
  });

  test("across wires: the OpenAI SDK over an Anthropic upstream", async () => {
    const { heard } = inStep(anthropicScript);
    expect(await openaiWords("anthropic/claude-test", heard)).toEqual(words);
  });

  test("a call without a key is refused in the wire's own envelope", async () => {
    const client = new Anthropic({ baseURL: at().url, apiKey: "fake-wrong-key", maxRetries: 0 });
    const call = client.messages.create({
      model: "echo/echo",
      max_tokens: 10,
      messages: [{ role: "user", content: "Hi" }],
    });
    await expect(call).rejects.toMatchObject({ status: 401, error: { type: "error" } });
  });

  describe.each(Object.keys(requests))("%s", (wire) => {
    test("streams", async () => {
      const response = await send(at(), wire, "one two three");
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toContain("text/event-stream");
      expect(await response.text()).toContain("three");
    });

    test.each(["[[fail-after 3]]", "[[cut 3]]"])("%s: the wire's error, and a clean end", async (fault) => {
      const response = await send(at(), wire, `one two three four five ${fault}`);
      expect(response.status).toBe(200);
      // A body that was cut would reject.
      const text = await response.text();
      expect(text).toMatch(/"error"|response\.failed/);
      expect(text.endsWith("\n\n") || text.endsWith("\r\n\r\n")).toBe(true);
    });

    test("[[fail 429]]: a status of its own", async () => {
      const response = await send(at(), wire, "no [[fail 429]]");
      expect(response.status).toBe(429);
      expect(await response.json()).toHaveProperty("error");
    });
  });

  test("an upstream that breaks off leaves the SDK with the wire's own error", async () => {
    upstream().answer((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const event of openaiScript.slice(0, 3)) response.write(frame(event));
      setImmediate(() => response.destroy());
    });
    const client = new OpenAI({ baseURL: `${at().url}/v1`, apiKey: key, maxRetries: 0 });
    const read = async (): Promise<void> => {
      const stream = await client.chat.completions.create({
        model: "openai/gpt-test",
        stream: true,
        messages: [{ role: "user", content: "Hi" }],
      });
      for await (const chunk of stream) expect(chunk.object).toBe("chat.completion.chunk");
    };
    await expect(read()).rejects.toBeInstanceOf(OpenAI.APIError);
  });

  test("empty bodies end (F55)", async () => {
    const preflight = await fetch(`${at().url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: { origin: "https://app.example", "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(204);
    expect(await preflight.text()).toBe("");
    const head = await fetch(`${at().url}/v1/models`, {
      method: "HEAD",
      headers: { authorization: `Bearer ${key}` },
    });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe("");
  });

  test("bytes survive: speech is what it was", async () => {
    const response = await fetch(`${at().url}/v1/audio/speech`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify({ model: "echo/echo", input: "Hi", voice: "any", response_format: "wav" }),
    });
    expect(response.status).toBe(200);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.subarray(0, 4).toString("latin1")).toBe("RIFF");
    expect(bytes.readUInt32LE(4)).toBe(bytes.length - 8);
  });

  test("a stream ends before the platform's time does, with the wire's error", async () => {
    const short = await startShort();
    const response = await send(short, "openai-chat", "one two three four five [[stall-after 3]]");
    const text = await response.text();
    expect(text).toContain('"content":" one"');
    expect(text).toContain('"error"');
    await until(() => short.logs.some((line) => line.startsWith(endLine)), "the invocation ends");
    expect(faults(short)).toEqual([]);
  });
};
