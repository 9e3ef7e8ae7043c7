// The four wires as raw HTTP: how a client calls, what its error envelope is, and what an upstream of the wire says.
import type { ClientWireId } from "../../lib/model/wire-id.ts";

export type RawWire = {
  path: (model: string, stream: boolean) => string;
  headers: Record<string, string>;
  body: (model: string, stream: boolean, text?: string) => Record<string, unknown>;
  /** Throws where the value is not the wire's error envelope. */
  envelope: (value: unknown) => void;
  /** Whether an SSE text holds the wire's own error event. */
  inBandError: (text: string) => boolean;
  /** An upstream's refusal. */
  error: (status: number, message: string) => unknown;
  /** An upstream's whole answer. */
  whole: unknown;
  /** Frames of an upstream's stream: what begins it (with a first word), and what ends it. */
  begin: string;
  end: string;
  /** An error event in the middle of an upstream's stream. */
  midError: string;
};

const need = (condition: boolean, value: unknown): void => {
  if (!condition) throw new Error(`not the wire's error envelope: ${JSON.stringify(value).slice(0, 300)}`);
};
const fields = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
const openAiEnvelope = (value: unknown): void => {
  const error = fields(fields(value)["error"]);
  need(
    typeof error["message"] === "string" && typeof error["type"] === "string" && "param" in error && "code" in error,
    value,
  );
};
const data = (value: unknown, event?: string): string =>
  `${event === undefined ? "" : `event: ${event}\n`}data: ${JSON.stringify(value)}\n\n`;
const chunk = (delta: object, finish: string | null = null): string =>
  data({
    id: "chatcmpl-1",
    object: "chat.completion.chunk",
    created: 1,
    model: "up",
    choices: [{ index: 0, delta, finish_reason: finish }],
  });

const message = (status: string, content: unknown[]): object => ({
  type: "message",
  id: "msg_1",
  role: "assistant",
  status,
  content,
});
const text = { type: "output_text", text: "Hello", annotations: [], logprobs: [] };
const response = (status: string, output: unknown[], more: object = {}): object => ({
  id: "resp_1",
  object: "response",
  created_at: 1,
  status,
  model: "up",
  output,
  error: null,
  incomplete_details: null,
  instructions: null,
  metadata: {},
  parallel_tool_calls: true,
  temperature: 1,
  tool_choice: "auto",
  tools: [],
  top_p: 1,
  ...more,
});
const usage = {
  input_tokens: 5,
  output_tokens: 1,
  total_tokens: 6,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens_details: { reasoning_tokens: 0 },
};

const anthropicTypes: Record<number, string> = {
  400: "invalid_request_error",
  401: "authentication_error",
  404: "not_found_error",
  429: "rate_limit_error",
  529: "overloaded_error",
};
const geminiStatuses: Record<number, string> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  503: "UNAVAILABLE",
};

export const rawWires: Record<ClientWireId, RawWire> = {
  "anthropic-messages": {
    path: () => "/v1/messages",
    headers: { "x-api-key": "fake", "anthropic-version": "2023-06-01" },
    body: (model, stream, said = "hi") => ({
      model,
      max_tokens: 64,
      stream,
      messages: [{ role: "user", content: said }],
    }),
    envelope: (value) => {
      const error = fields(fields(value)["error"]);
      need(
        fields(value)["type"] === "error" && typeof error["type"] === "string" && typeof error["message"] === "string",
        value,
      );
    },
    inBandError: (sse) => /event: error\ndata: \{"type":"error"/.test(sse),
    error: (status, said) => ({ type: "error", error: { type: anthropicTypes[status] ?? "api_error", message: said } }),
    whole: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "up",
      content: [{ type: "text", text: "Hello" }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { input_tokens: 5, output_tokens: 1 },
    },
    begin:
      data(
        {
          type: "message_start",
          message: {
            id: "msg_1",
            type: "message",
            role: "assistant",
            model: "up",
            content: [],
            stop_reason: null,
            stop_sequence: null,
            usage: { input_tokens: 5, output_tokens: 1 },
          },
        },
        "message_start",
      ) +
      data(
        { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
        "content_block_start",
      ) +
      data(
        { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello" } },
        "content_block_delta",
      ),
    end:
      data({ type: "content_block_stop", index: 0 }, "content_block_stop") +
      data(
        { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 1 } },
        "message_delta",
      ) +
      data({ type: "message_stop" }, "message_stop"),
    midError: data({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } }, "error"),
  },
  "openai-chat": {
    path: () => "/v1/chat/completions",
    headers: { authorization: "Bearer fake" },
    body: (model, stream, said = "hi") => ({
      model,
      stream,
      ...(stream ? { stream_options: { include_usage: true } } : {}),
      messages: [{ role: "user", content: said }],
    }),
    envelope: openAiEnvelope,
    inBandError: (sse) => /data: \{"error":\{/.test(sse),
    error: (_status, said) => ({ error: { message: said, type: "server_error", param: null, code: null } }),
    whole: {
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 1,
      model: "up",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "Hello", refusal: null },
          finish_reason: "stop",
          logprobs: null,
        },
      ],
      usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
    },
    begin: chunk({ role: "assistant", content: "" }) + chunk({ content: "Hello" }),
    end:
      chunk({}, "stop") +
      data({
        id: "chatcmpl-1",
        object: "chat.completion.chunk",
        created: 1,
        model: "up",
        choices: [],
        usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
      }) +
      "data: [DONE]\n\n",
    midError: data({ error: { message: "Overloaded", type: "server_error", param: null, code: null } }),
  },
  "openai-responses": {
    path: () => "/v1/responses",
    headers: { authorization: "Bearer fake" },
    body: (model, stream, said = "hi") => ({ model, stream, input: said }),
    envelope: openAiEnvelope,
    inBandError: (sse) => /event: (?:error|response\.failed)\n/.test(sse),
    error: (_status, said) => ({ error: { message: said, type: "server_error", param: null, code: null } }),
    whole: response("completed", [message("completed", [text])], { usage }),
    begin:
      data(
        { type: "response.created", sequence_number: 0, response: response("in_progress", []) },
        "response.created",
      ) +
      data(
        { type: "response.in_progress", sequence_number: 1, response: response("in_progress", []) },
        "response.in_progress",
      ) +
      data(
        { type: "response.output_item.added", sequence_number: 2, output_index: 0, item: message("in_progress", []) },
        "response.output_item.added",
      ) +
      data(
        {
          type: "response.content_part.added",
          sequence_number: 3,
          item_id: "msg_1",
          output_index: 0,
          content_index: 0,
          part: { ...text, text: "" },
        },
        "response.content_part.added",
      ) +
      data(
        {
          type: "response.output_text.delta",
          sequence_number: 4,
          item_id: "msg_1",
          output_index: 0,
          content_index: 0,
          delta: "Hello",
          logprobs: [],
        },
        "response.output_text.delta",
      ),
    end:
      data(
        {
          type: "response.output_text.done",
          sequence_number: 5,
          item_id: "msg_1",
          output_index: 0,
          content_index: 0,
          text: "Hello",
          logprobs: [],
        },
        "response.output_text.done",
      ) +
      data(
        {
          type: "response.content_part.done",
          sequence_number: 6,
          item_id: "msg_1",
          output_index: 0,
          content_index: 0,
          part: text,
        },
        "response.content_part.done",
      ) +
      data(
        { type: "response.output_item.done", sequence_number: 7, output_index: 0, item: message("completed", [text]) },
        "response.output_item.done",
      ) +
      data(
        {
          type: "response.completed",
          sequence_number: 8,
          response: response("completed", [message("completed", [text])], { usage }),
        },
        "response.completed",
      ),
    midError: data(
      {
        type: "error",
        sequence_number: 5,
        error: { type: "server_error", code: "server_error", message: "Overloaded", param: null },
      },
      "error",
    ),
  },
  "gemini-generate": {
    path: (model, stream) => `/v1beta/models/${model}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`,
    headers: { "x-goog-api-key": "fake" },
    body: (_model, _stream, said = "hi") => ({ contents: [{ role: "user", parts: [{ text: said }] }] }),
    envelope: (value) => {
      const error = fields(fields(value)["error"]);
      need(
        typeof error["code"] === "number" &&
          typeof error["status"] === "string" &&
          typeof error["message"] === "string",
        value,
      );
    },
    inBandError: (sse) => /data: \{"error":\{/.test(sse),
    error: (status, said) => ({ error: { code: status, message: said, status: geminiStatuses[status] ?? "INTERNAL" } }),
    whole: {
      candidates: [{ content: { role: "model", parts: [{ text: "Hello" }] }, finishReason: "STOP", index: 0 }],
      usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 1, totalTokenCount: 6 },
      modelVersion: "up",
      responseId: "r1",
    },
    begin: `data: ${JSON.stringify({ candidates: [{ content: { role: "model", parts: [{ text: "Hello" }] }, index: 0 }], modelVersion: "up", responseId: "r1" })}\r\n\r\n`,
    end: `data: ${JSON.stringify({ candidates: [{ content: { role: "model", parts: [{ text: "" }] }, finishReason: "STOP", index: 0 }], usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 1, totalTokenCount: 6 }, modelVersion: "up", responseId: "r1" })}\r\n\r\n`,
    midError: `data: ${JSON.stringify({ error: { code: 503, message: "Overloaded", status: "UNAVAILABLE" } })}\r\n\r\n`,
  },
};

/** heddle.yaml with one provider a wire, all at `base`: `anthropic`, `openai` (Responses alone), `compat` (Chat alone), `gemini`. */
export const providersYaml = (base: string): string => `
providers:
  anthropic: { apiKey: fake-anthropic-key, baseUrl: "${base}" }
  openai: { apiKey: fake-openai-key, baseUrl: "${base}/v1", wires: [openai-responses] }
  compat: { kind: openai-compatible, apiKey: fake-compat-key, baseUrl: "${base}/v1" }
  gemini: { apiKey: fake-gemini-key, baseUrl: "${base}" }
`;

/** The provider that answers on this wire when another wire calls. */
export const providerOf: Record<ClientWireId, string> = {
  "anthropic-messages": "anthropic",
  "openai-chat": "compat",
  "openai-responses": "openai",
  "gemini-generate": "gemini",
};
