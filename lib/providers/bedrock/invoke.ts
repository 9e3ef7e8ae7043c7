// Claude over InvokeModel: Anthropic's own request and answer in AWS's wrapping. Here the wrapping is put on and taken off, so
// that the anthropic-messages wire sees nothing of it.
import { createEventStreamSplitter, type EventStreamFrame } from "../../http/eventstream.ts";
import { readAll, type TransportResponse } from "../../http/transport.ts";
import { sseFrame } from "../../http/sse.ts";
import type { Headers } from "../../model/call.ts";
import type { ErrorCode, GatewayError } from "../../model/error.ts";
import { GatewayError as Failure } from "../../model/error.ts";
import { asString, isObject, parseJson, type JsonObject } from "../../model/json.ts";
import { bedrockConverse } from "../../wires/bedrock-converse/index.ts";
import type { UpstreamCall } from "../provider.ts";

const version = "bedrock-2023-05-31";
/** How a body begins that already is as InvokeModel wants it. */
const ready = `{"anthropic_version":"${version}"`;

const textOf = (body: Uint8Array | string): string =>
  typeof body === "string" ? body : Buffer.from(body.buffer, body.byteOffset, body.length).toString("utf8");

/** The body without `model` and `stream`, with the version, and with the betas that HTTP names in a header. */
export const invokeBody = (call: UpstreamCall): string => {
  const text = textOf(call.body);
  const betas = (call.headers["anthropic-beta"] ?? "")
    .split(",")
    .map((beta) => beta.trim())
    .filter((beta) => beta !== "");
  if (betas.length === 0 && text.startsWith(ready)) return text;
  const value = parseJson(text);
  if (!isObject(value)) return text;
  const { model: _model, stream: _stream, anthropic_beta: own, anthropic_version: given, ...rest } = value;
  const all = [...new Set([...(Array.isArray(own) ? own : []), ...betas])];
  return JSON.stringify({
    anthropic_version: given ?? version,
    ...(all.length === 0 ? {} : { anthropic_beta: all }),
    ...rest,
  });
};

/** Codes as Anthropic's API tells them; the others are `api_error`. */
const anthropicTypes: Partial<Record<ErrorCode, readonly [type: string, status: number]>> = {
  invalid_request: ["invalid_request_error", 400],
  context_length_exceeded: ["invalid_request_error", 400],
  upstream_authentication: ["authentication_error", 401],
  permission: ["permission_error", 403],
  model_not_found: ["not_found_error", 404],
  request_too_large: ["request_too_large", 413],
  rate_limited: ["rate_limit_error", 429],
  quota_exceeded: ["rate_limit_error", 429],
  overloaded: ["overloaded_error", 529],
  upstream_timeout: ["timeout_error", 504],
};

const envelope = (error: GatewayError): { status: number; body: JsonObject } => {
  const [type, status] = anthropicTypes[error.code] ?? ["api_error", 500];
  return { status, body: { type: "error", error: { type, message: error.message } } };
};

/** One chunk of a body that is there already. */
const bodyOf = (bytes: Uint8Array): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]: () => {
    let left: Uint8Array | undefined = bytes;
    return {
      next: () => {
        const value = left;
        left = undefined;
        return Promise.resolve(value === undefined ? { done: true, value: undefined } : { done: false, value });
      },
    };
  },
});

export const jsonResponse = (status: number, headers: Headers, body: JsonObject): TransportResponse => {
  const { "content-length": _length, "content-encoding": _encoding, ...rest } = headers;
  return {
    status,
    headers: { ...rest, "content-type": "application/json" },
    body: bodyOf(new TextEncoder().encode(JSON.stringify(body))),
  };
};

/** Bedrock's refusal in Anthropic's envelope and with Anthropic's status; its retry headers stay. */
export const anthropicRefusal = async (response: TransportResponse, provider: string): Promise<TransportResponse> => {
  const text = textOf(await readAll(response.body, 1024 * 1024));
  const target = { provider, maker: "anthropic", model: "", dialect: {} };
  const error = bedrockConverse.decodeError(response.status, response.headers, text, target);
  // What Bedrock can't count is no fault of the request: the caller of such a count falls back on an estimate.
  const uncounted = /doesn't support counting tokens/.test(error.message);
  const { status, body } = envelope(uncounted ? new Failure("model_not_found", error.message) : error);
  return jsonResponse(status, response.headers, body);
};

const eventName = (json: string): string => /^\{"type":"([a-z_]+)"/.exec(json)?.[1] ?? eventNameOf(parseJson(json));

const eventNameOf = (value: unknown): string => (isObject(value) ? (asString(value["type"]) ?? "message") : "message");

/** The text of one frame as Anthropic would have sent it; "" for what it never would. */
const frameText = (frame: EventStreamFrame, provider: string): string => {
  const { headers } = frame;
  const value = parseJson(textOf(frame.payload));
  const exception = headers[":exception-type"] ?? headers[":error-code"];
  if (exception !== undefined) {
    const told = isObject(value) ? JSON.stringify(value) : JSON.stringify({ message: headers[":error-message"] });
    const target = { provider, maker: "anthropic", model: "", dialect: {} };
    const error = bedrockConverse.decodeError(0, { "x-amzn-errortype": exception }, told, target);
    return sseFrame(JSON.stringify(envelope(error).body), "error");
  }
  const bytes = isObject(value) ? asString(value["bytes"]) : undefined;
  if (bytes === undefined) return "";
  const json = Buffer.from(bytes, "base64").toString("utf8");
  return sseFrame(json, eventName(json));
};

const cut = (provider: string): GatewayError =>
  new Failure("upstream_error", "The provider's stream ended in the middle of an event.", { provider });

/**
 * InvokeModel's event stream as the SSE that Anthropic's own API sends: one write per read. An iterator by hand, so that a
 * reader who leaves before the first read still closes the connection.
 */
const anthropicSse = (body: AsyncIterable<Uint8Array>, provider: string): AsyncIterable<Uint8Array> => ({
  [Symbol.asyncIterator]: () => {
    const source = body[Symbol.asyncIterator]();
    const splitter = createEventStreamSplitter();
    return {
      next: async () => {
        for (;;) {
          const { done, value } = await source.next();
          if (done === true) {
            if (splitter.held() > 0) throw cut(provider);
            return { done: true, value: undefined };
          }
          let text = "";
          for (const frame of splitter.push(value)) text += frameText(frame, provider);
          if (text !== "") return { done: false, value: Buffer.from(text, "utf8") };
        }
      },
      return: async () => {
        await source.return?.();
        return { done: true, value: undefined };
      },
    };
  },
});

/** An answer of InvokeModel as Anthropic's own. */
export const asAnthropic = (
  response: TransportResponse,
  provider: string,
): TransportResponse | Promise<TransportResponse> => {
  if (response.status >= 400) return anthropicRefusal(response, provider);
  if (!(response.headers["content-type"] ?? "").includes("vnd.amazon.eventstream")) return response;
  const { "content-length": _length, ...headers } = response.headers;
  return {
    status: response.status,
    headers: { ...headers, "content-type": "text/event-stream; charset=utf-8" },
    body: anthropicSse(response.body, provider),
  };
};
