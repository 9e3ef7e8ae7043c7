// Signs of life in a silent stream: only between events, and every client reads past them.
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import { GoogleGenerativeAI } from "@google/generative-ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { geminiGenerate } from "../../../lib/wires/gemini-generate/index.ts";
import { clientWires } from "../../../lib/wires/index.ts";
import { type ClientWireId, clientWireIds } from "../../../lib/model/wire-id.ts";
import {
  type Answer,
  startGateway,
  startUpstream,
  type TestGateway,
  type TestUpstream,
} from "../../support/gateway.ts";
import { providerOf, providersYaml, rawWires } from "../../support/wires.ts";

const realFetch = globalThis.fetch;
let upstream: TestUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(providersYaml(upstream.url), {}, (config) => {
    config.server.heartbeatMs = 20;
  });
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

/** Sends the pieces, each but the first when the caller has seen enough (`go`). */
const scripted = (pieces: readonly string[]): { answer: Answer; go: () => void } => {
  let next = Promise.withResolvers<void>();
  return {
    go: () => next.resolve(),
    answer: async (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const [at, piece] of pieces.entries()) {
        if (at > 0) {
          await next.promise;
          next = Promise.withResolvers();
        }
        response.write(piece);
      }
      response.end();
    },
  };
};

const post = (client: ClientWireId, provider: ClientWireId, path?: string): Promise<Response> => {
  const model = `${providerOf[provider]}/up`;
  return fetch(gateway.url + (path ?? rawWires[client].path(model, true)), {
    method: "POST",
    headers: { "content-type": "application/json", ...rawWires[client].headers },
    body: JSON.stringify(rawWires[client].body(model, true)),
  });
};

/** Reads until `enough` of the text so far, then lets the upstream go on; gives the whole text. */
const readWith = async (response: Response, go: () => void, enough: (text: string) => boolean): Promise<string> => {
  const decoder = new TextDecoder();
  let text = "";
  let gone = false;
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk, { stream: true });
    if (!gone && enough(text)) {
      gone = true;
      go();
    }
  }
  return text;
};
const countOf = (text: string, piece: string): number => text.split(piece).length - 1;

describe.each(clientWireIds)("client %s", (client) => {
  const { heartbeat } = clientWires[client];
  test.each(clientWireIds)("provider %s: silence between events is filled (F9)", async (provider) => {
    const raw = rawWires[provider];
    const script = scripted([raw.begin, raw.end]);
    upstream.answer(script.answer);
    const text = await readWith(
      await post(client, provider),
      script.go,
      (sofar) => countOf(sofar.slice(sofar.indexOf("Hello")), heartbeat) >= 2,
    );
    expect(text).toContain("Hello");
    expect(rawWires[client].inBandError(text)).toBe(false);
    // Without them the stream is what it is without silence; a translated one has frames of its own.
    const bare = text.slice(0, raw.begin.length) + text.slice(raw.begin.length).replaceAll(heartbeat, "");
    expect(client === provider ? bare : raw.begin + raw.end).toBe(raw.begin + raw.end);
  });

  test("a provider that stops in mid-event: no sign of life splits the event (F9)", async () => {
    const raw = rawWires[client];
    const half = Math.floor(raw.end.length / 2);
    const script = scripted([raw.begin + raw.end.slice(0, half), raw.end.slice(half)]);
    upstream.answer(script.answer);
    const text = await readWith(
      await post(client, client),
      script.go,
      (sofar) => countOf(sofar.slice(raw.begin.length), heartbeat) >= 2,
    );
    expect(text.slice(0, raw.begin.length) + text.slice(raw.begin.length).replaceAll(heartbeat, "")).toBe(
      raw.begin + raw.end,
    );
  });
});

/** Each official client reads a stream whose upstream is silent after its first words, until a sign of life passed. */
const readers: Record<string, { wire: ClientWireId; read: (fetchOf: typeof fetch) => Promise<string> }> = {
  "openai chat": {
    wire: "openai-chat",
    read: async (through) => {
      const client = new OpenAI({ apiKey: "fake", baseURL: `${gateway.url}/v1`, maxRetries: 0, fetch: through });
      const done = await client.chat.completions
        .stream({ model: "compat/up", messages: [{ role: "user", content: "hi" }] })
        .finalChatCompletion();
      return done.choices[0]?.message.content ?? "";
    },
  },
  "openai responses": {
    wire: "openai-responses",
    read: async (through) => {
      const client = new OpenAI({ apiKey: "fake", baseURL: `${gateway.url}/v1`, maxRetries: 0, fetch: through });
      return (await client.responses.stream({ model: "openai/up", input: "hi" }).finalResponse()).output_text;
    },
  },
  anthropic: {
    wire: "anthropic-messages",
    read: async (through) => {
      const client = new Anthropic({ apiKey: "fake", baseURL: gateway.url, maxRetries: 0, fetch: through });
      return client.messages
        .stream({ model: "anthropic/up", max_tokens: 9, messages: [{ role: "user", content: "hi" }] })
        .finalText();
    },
  },
  "google genai": {
    wire: "gemini-generate",
    read: async (through) => {
      globalThis.fetch = through;
      try {
        const client = new GoogleGenAI({ apiKey: "fake", httpOptions: { baseUrl: gateway.url } });
        let text = "";
        for await (const chunk of await client.models.generateContentStream({ model: "gemini/up", contents: "hi" }))
          text += chunk.text ?? "";
        return text;
      } finally {
        globalThis.fetch = realFetch;
      }
    },
  },
  "google generative-ai": {
    wire: "gemini-generate",
    read: async (through) => {
      globalThis.fetch = through;
      try {
        const model = new GoogleGenerativeAI("fake").getGenerativeModel(
          { model: "models/gemini/up" },
          { baseUrl: gateway.url },
        );
        let text = "";
        for await (const chunk of (await model.generateContentStream("hi")).stream) text += chunk.text();
        return text;
      } finally {
        globalThis.fetch = realFetch;
      }
    },
  },
};

test.each(Object.entries(readers))("%s reads past signs of life (F9)", async (_name, { wire, read }) => {
  const raw = rawWires[wire];
  const script = scripted([raw.begin, raw.end]);
  upstream.answer(script.answer);
  const { heartbeat } = clientWires[wire];
  const watched: typeof fetch = async (input, init) => {
    const response = await realFetch(input, init);
    let text = "";
    const decoder = new TextDecoder();
    const body = response.body!.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          text += decoder.decode(chunk, { stream: true });
          if (countOf(text.slice(raw.begin.length), heartbeat) >= 2) script.go();
          controller.enqueue(chunk);
        },
      }),
    );
    return new Response(body, { status: response.status, headers: response.headers });
  };
  expect(await read(watched)).toBe("Hello");
});

test("the array form of Gemini is kept alive by white space (F9)", async () => {
  const raw = rawWires["gemini-generate"];
  for (const provider of clientWireIds) {
    const script = scripted([rawWires[provider].begin, rawWires[provider].end]);
    upstream.answer(script.answer);
    const response = await post(
      "gemini-generate",
      provider,
      `/v1beta/models/${providerOf[provider]}/up:streamGenerateContent`,
    );
    const text = await readWith(response, script.go, (sofar) => /Hello[^]*\n\n$/.test(sofar));
    const chunks = JSON.parse(text) as { candidates: { content?: { parts?: { text?: string }[] } }[] }[];
    expect(chunks.map((chunk) => chunk.candidates[0]?.content?.parts?.[0]?.text ?? "").join("")).toBe("Hello");
  }
  expect(raw.begin).toContain("Hello");
  expect(geminiGenerate.heartbeat).not.toBe("");
});

test("a whole answer has none, however long it takes (F9)", async () => {
  const raw = rawWires["openai-chat"];
  upstream.answer(async (_request, response) => {
    await new Promise((resolve) => setTimeout(resolve, 80));
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(raw.whole));
  });
  const response = await fetch(gateway.url + raw.path("compat/up", false), {
    method: "POST",
    headers: raw.headers,
    body: JSON.stringify(raw.body("compat/up", false)),
  });
  expect(await response.text()).toBe(JSON.stringify(raw.whole));
});
