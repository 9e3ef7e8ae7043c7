// A client on one wire and a scripted host on another, with the real gateway between them: both are told what to say in neutral terms,
// and what each of them read is told in the same.
import type { HeddleConfig } from "../../lib/config-types.ts";
import type { ChatResponse } from "../../lib/model/event.ts";
import { isObject, type JsonObject } from "../../lib/model/json.ts";
import type { Part } from "../../lib/model/message.ts";
import type { ChatRequest } from "../../lib/model/request.ts";
import type { ClientWireId } from "../../lib/model/wire-id.ts";
import { clientWires } from "../../lib/wires/index.ts";
import { fold, unfold } from "../../lib/wires/shared/fold.ts";
import type { Target } from "../../lib/wires/wire.ts";
import { startGateway, startUpstream, type TestGateway, type TestUpstream } from "./gateway.ts";
import { rawWires } from "./wires.ts";

/** What a host was sent: the body as it came, and what it means. */
export type Heard = {
  wire: ClientWireId;
  path: string;
  headers: Record<string, unknown>;
  text: string;
  body: JsonObject;
  request: ChatRequest;
};

/** What a client got: the bytes, and what they mean where the call went well. */
export type Got = { status: number; headers: Headers; text: string; response: ChatResponse };

export type Exchange = {
  gateway: TestGateway;
  upstream: TestUpstream;
  /** What the host answers from now on, on whatever wire it is asked. */
  says: (answer: Partial<ChatResponse> | ((heard: Heard) => Partial<ChatResponse>)) => void;
  heard: () => Heard[];
  ask: (
    client: ClientWireId,
    request: Partial<ChatRequest> & { model: string },
    more?: { headers?: Record<string, string>; body?: JsonObject },
  ) => Promise<Got>;
  stop: () => Promise<void>;
};

const wireOfPath = (path: string): ClientWireId =>
  path.includes("/messages")
    ? "anthropic-messages"
    : path.includes("/chat/completions")
      ? "openai-chat"
      : path.includes("/responses")
        ? "openai-responses"
        : "gemini-generate";

const nothing: ChatRequest = { model: "m", stream: false, system: [], messages: [], tools: [], sampling: {} };
let ids = 0;
const context = {
  request: nothing,
  now: 1_700_000_000_000,
  newId: () => `${(ids += 1)}`.padStart(24, "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8"),
};

/** Whose state each wire holds bare. */
const nativeMaker: Record<ClientWireId, string> = {
  "anthropic-messages": "anthropic",
  "openai-chat": "openai-chat",
  "openai-responses": "openai",
  "gemini-generate": "google",
};
/** A client gives back what it got, whatever it is: to it, all state is of one maker, and every model can do everything. */
const clientTarget = (client: ClientWireId): Target => ({
  provider: "client",
  maker: nativeMaker[client],
  model: "claude-opus-4-7",
  dialect: client === "openai-chat" ? { replayReasoning: "reasoning_content", reasoningEffort: "openrouter" } : {},
});

const hear = (url: string, headers: Record<string, unknown>, text: string): Heard => {
  const wire = wireOfPath(url);
  const body: unknown = JSON.parse(text);
  if (!isObject(body)) throw new Error("no object was sent");
  const stream = body["stream"] === true || url.includes(":stream");
  const request = clientWires[wire].decodeRequest(body, wire === "gemini-generate" ? { model: "up", stream } : {});
  return { wire, path: url, headers, text, body, request };
};

/** `anthropic`, `openai` (Responses), `chat` (a host of Chat), `google`, and what `yaml` adds. */
const providersOf = (url: string, yaml: string): string => `
providers:
  anthropic: { apiKey: fake-key-a, baseUrl: "${url}" }
  openai: { apiKey: fake-key-b, baseUrl: "${url}/v1", wires: [openai-responses] }
  chat: { kind: openai-compatible, apiKey: fake-key-c, baseUrl: "${url}/v1" }
  google: { kind: gemini, apiKey: fake-key-d, baseUrl: "${url}" }
${yaml.replaceAll("$URL", url)}`;

export const hostOfWire: Record<ClientWireId, string> = {
  "anthropic-messages": "anthropic",
  "openai-chat": "chat",
  "openai-responses": "openai",
  "gemini-generate": "google",
};

export const say = (...parts: Part[]): Partial<ChatResponse> => ({
  parts,
  reason: parts.some((part) => part.type === "tool-call") ? "tool-calls" : "end",
});

export const startExchange = async (
  yaml = "",
  change: (config: HeddleConfig) => void = () => undefined,
): Promise<Exchange> => {
  let answer: (heard: Heard) => Partial<ChatResponse> = () => say({ type: "text", text: "Hello" });
  const upstream = await startUpstream((request, response) => {
    const heard = hear(request.url, request.headers, request.body);
    const lens = clientWires[heard.wire];
    const said: ChatResponse = {
      id: "",
      model: "up",
      parts: [],
      reason: "end",
      usage: { input: 5, output: 2 },
      ...answer(heard),
    };
    response.writeHead(200, { "content-type": heard.request.stream ? "text/event-stream" : "application/json" });
    if (!heard.request.stream) {
      response.end(JSON.stringify(lens.encodeResponse(said, context)));
      return;
    }
    const encoder = lens.encodeEvents(context);
    for (const event of unfold(said)) response.write(encoder.push([event]));
    response.end(encoder.end());
  });
  const gateway = await startGateway(providersOf(upstream.url, yaml), {}, (config) => {
    config.retry.attempts = 1;
    change(config);
  });
  return {
    gateway,
    upstream,
    says: (next) => {
      answer = typeof next === "function" ? next : () => next;
    },
    heard: () => upstream.requests.map((request) => hear(request.url, request.headers, request.body)),
    ask: async (client, given, more = {}) => {
      upstream.requests.length = 0;
      const request: ChatRequest = { ...nothing, maxOutputTokens: 4_096, ...given };
      const lens = clientWires[client];
      const target = clientTarget(client);
      const raw = rawWires[client];
      const { body } = lens.encodeRequest(request, target);
      const reply = await fetch(gateway.url + raw.path(request.model, request.stream), {
        method: "POST",
        headers: { "content-type": "application/json", ...raw.headers, ...more.headers },
        body: JSON.stringify({ ...body, ...("model" in body ? { model: request.model } : {}), ...more.body }),
      });
      const text = await reply.text();
      const got = { status: reply.status, headers: reply.headers, text };
      const none: ChatResponse = { id: "", model: "", parts: [], reason: "other" };
      if (reply.status !== 200) return { ...got, response: none };
      if (!request.stream) return { ...got, response: lens.decodeResponse(JSON.parse(text), target) };
      const decoder = lens.decodeEvents(target);
      return { ...got, response: fold([...decoder.push(Buffer.from(text)), ...decoder.end()]) };
    },
    stop: async () => {
      await gateway.stop();
      await upstream.stop();
    },
  };
};
