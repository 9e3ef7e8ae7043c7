// The official SDKs as readers of prepared bytes: what a client makes of an answer, reduced to what must survive any translation.
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI, type GenerateContentResponse } from "@google/genai";
import OpenAI from "openai";
import type { ChatResponse } from "../../lib/model/event.ts";
import type { ClientWireId } from "../../lib/model/wire-id.ts";

export type Summary = {
  text: string;
  refusal: boolean;
  calls: { name: string; arguments: unknown }[];
  /** `end`, `length`, `tool` or `filter`. */
  stop: string;
  input: number;
  output: number;
};

const parse = (text: string): unknown => {
  try {
    // No arguments are an empty object, however a model writes that down (F2).
    return (JSON.parse(text === "" ? "{}" : text) as unknown) ?? {};
  } catch {
    return `not JSON: ${text}`;
  }
};

const neutralStops: Record<string, string> = {
  length: "length",
  "context-length": "length",
  "tool-calls": "tool",
  refusal: "filter",
  "content-filter": "filter",
  "malformed-tool-call": "malformed",
};

export const neutralSummary = (response: ChatResponse): Summary => ({
  text: response.parts.map((part) => (part.type === "text" ? part.text : "")).join(""),
  refusal: response.parts.some((part) => part.type === "refusal"),
  calls: response.parts.flatMap((part) =>
    part.type !== "tool-call"
      ? []
      : [{ name: part.name, arguments: part.custom === true ? { input: part.arguments } : parse(part.arguments) }],
  ),
  stop: neutralStops[response.reason] ?? "end",
  input: response.usage?.input ?? 0,
  output: response.usage?.output ?? 0,
});

const fetchOf =
  (body: string, contentType: string, status = 200) =>
  (): Promise<Response> =>
    Promise.resolve(new Response(body, { status, headers: { "content-type": contentType } }));

const chatStops: Record<string, string> = {
  length: "length",
  tool_calls: "tool",
  function_call: "tool",
  content_filter: "filter",
};

const chatSummary = (completion: OpenAI.Chat.Completions.ChatCompletion): Summary => {
  const choice = completion.choices[0];
  return {
    text: choice?.message.content ?? "",
    refusal: typeof choice?.message.refusal === "string",
    calls: (choice?.message.tool_calls ?? []).flatMap((call) =>
      call.type === "function"
        ? [{ name: call.function.name, arguments: parse(call.function.arguments) }]
        : [{ name: call.custom.name, arguments: { input: call.custom.input } }],
    ),
    stop: chatStops[choice?.finish_reason ?? "stop"] ?? "end",
    input: completion.usage?.prompt_tokens ?? 0,
    output: completion.usage?.completion_tokens ?? 0,
  };
};

const responsesSummary = (response: OpenAI.Responses.Response): Summary => {
  const calls = response.output.flatMap((item) =>
    item.type === "function_call"
      ? [{ name: item.name, arguments: parse(item.arguments) }]
      : item.type === "custom_tool_call"
        ? [{ name: item.name, arguments: { input: item.input } }]
        : [],
  );
  const parts = response.output.flatMap((item) => (item.type === "message" ? item.content : []));
  return {
    text: parts.map((part) => (part.type === "output_text" ? part.text : "")).join(""),
    refusal: parts.some((part) => part.type === "refusal"),
    calls,
    stop:
      response.status === "incomplete"
        ? response.incomplete_details?.reason === "content_filter"
          ? "filter"
          : "length"
        : response.status === "failed"
          ? "malformed"
          : calls.length > 0
            ? "tool"
            : "end",
    input: response.usage?.input_tokens ?? 0,
    output: response.usage?.output_tokens ?? 0,
  };
};

const messagesSummary = (message: Anthropic.Message): Summary => ({
  text: message.content.map((block) => (block.type === "text" ? block.text : "")).join(""),
  refusal: false,
  calls: message.content.flatMap((block) =>
    block.type === "tool_use" ? [{ name: block.name, arguments: block.input }] : [],
  ),
  stop:
    { max_tokens: "length", model_context_window_exceeded: "length", tool_use: "tool", refusal: "filter" }[
      message.stop_reason as string
    ] ?? "end",
  input:
    message.usage.input_tokens +
    (message.usage.cache_read_input_tokens ?? 0) +
    (message.usage.cache_creation_input_tokens ?? 0),
  output: message.usage.output_tokens,
});

const geminiStops: Record<string, string> = {
  MAX_TOKENS: "length",
  SAFETY: "filter",
  RECITATION: "filter",
  BLOCKLIST: "filter",
  PROHIBITED_CONTENT: "filter",
  SPII: "filter",
  IMAGE_SAFETY: "filter",
  MODEL_ARMOR: "filter",
  MALFORMED_FUNCTION_CALL: "malformed",
  UNEXPECTED_TOOL_CALL: "malformed",
};

const geminiSummary = (chunks: readonly GenerateContentResponse[]): Summary => {
  const parts = chunks.flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? []);
  // A server that Gemini calls answers in place: such calls are not the client's.
  const answered = new Set(parts.map((part) => part.functionResponse?.name));
  const calls = parts.flatMap((part) =>
    part.functionCall === undefined || answered.has(part.functionCall.name)
      ? []
      : [{ name: part.functionCall.name ?? "", arguments: part.functionCall.args ?? {} }],
  );
  const finish = chunks.findLast((chunk) => chunk.candidates?.[0]?.finishReason !== undefined)?.candidates?.[0]
    ?.finishReason as string | undefined;
  const usage = chunks.findLast((chunk) => chunk.usageMetadata !== undefined)?.usageMetadata;
  const blocked = chunks.some((chunk) => chunk.promptFeedback?.blockReason !== undefined);
  return {
    text: parts.map((part) => (part.thought === true ? "" : (part.text ?? ""))).join(""),
    refusal: false,
    calls,
    stop: blocked ? "filter" : (geminiStops[finish ?? ""] ?? (calls.length > 0 ? "tool" : "end")),
    input: (usage?.promptTokenCount ?? 0) + (usage?.toolUsePromptTokenCount ?? 0),
    output: (usage?.candidatesTokenCount ?? 0) + (usage?.thoughtsTokenCount ?? 0),
  };
};

const key = "fake-key";

/** What the wire's official SDK reads from a whole answer or a stream (by its stream helper). Rejects where the SDK throws. */
export const readWithSdk: Record<ClientWireId, (body: string, stream: boolean) => Promise<Summary>> = {
  "openai-chat": async (body, stream) => {
    const client = new OpenAI({
      apiKey: key,
      maxRetries: 0,
      fetch: fetchOf(body, stream ? "text/event-stream" : "application/json"),
    });
    const call = { model: "m", messages: [{ role: "user" as const, content: "hi" }] };
    return chatSummary(
      stream
        ? await client.chat.completions
            .stream({ ...call, stream_options: { include_usage: true } })
            .finalChatCompletion()
        : await client.chat.completions.create(call),
    );
  },
  "openai-responses": async (body, stream) => {
    const client = new OpenAI({
      apiKey: key,
      maxRetries: 0,
      fetch: fetchOf(body, stream ? "text/event-stream" : "application/json"),
    });
    const call = { model: "m", input: "hi" };
    return responsesSummary(
      stream ? await client.responses.stream(call).finalResponse() : await client.responses.create(call),
    );
  },
  "anthropic-messages": async (body, stream) => {
    const client = new Anthropic({
      apiKey: key,
      maxRetries: 0,
      fetch: fetchOf(body, stream ? "text/event-stream" : "application/json"),
    });
    const call = { model: "m", max_tokens: 100, messages: [{ role: "user" as const, content: "hi" }] };
    return messagesSummary(
      stream ? await client.messages.stream(call).finalMessage() : await client.messages.create(call),
    );
  },
  "gemini-generate": async (body, stream) => {
    const real = globalThis.fetch;
    globalThis.fetch = fetchOf(body, stream ? "text/event-stream" : "application/json");
    try {
      const client = new GoogleGenAI({ apiKey: key });
      if (!stream) return geminiSummary([await client.models.generateContent({ model: "m", contents: "hi" })]);
      const chunks: GenerateContentResponse[] = [];
      for await (const chunk of await client.models.generateContentStream({ model: "m", contents: "hi" }))
        chunks.push(chunk);
      return geminiSummary(chunks);
    } finally {
      globalThis.fetch = real;
    }
  },
};
