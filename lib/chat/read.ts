// One look at a call's body: the model, whether it streams, and what must be refused before anything else. No parse where a scan will do.
import { memberText, scanObject } from "../http/scan.ts";
import { GatewayError, invalid } from "../model/error.ts";
import { isObject, type JsonObject, parseJson } from "../model/json.ts";
import type { ChatRequest } from "../model/request.ts";
import type { ChatCall, ReadCall } from "./call.ts";

const { isAscii } = process.getBuiltinModule("node:buffer");
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The body as a JSON object. Throws a 400. */
export const parseBody = (body: Uint8Array): JsonObject => {
  let text: string;
  try {
    // Most bodies are ASCII, and one byte a character is read fastest.
    text = isAscii(body)
      ? Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1")
      : utf8.decode(body);
  } catch {
    throw new GatewayError("invalid_request", "The request body is not UTF-8.");
  }
  const value = parseJson(text);
  if (value === undefined) throw new GatewayError("invalid_request", "The request body is not valid JSON.");
  if (!isObject(value)) throw new GatewayError("invalid_request", "The request body must be a JSON object.");
  return value;
};

type Look = (name: string) => unknown;

/** Fields of state that this gateway does not keep: refused by name, never ignored. */
export const refuseState = (wire: ChatCall["wire"]["id"], look: Look): void => {
  if (wire === "anthropic-messages") {
    if ((look("thread") ?? null) !== null)
      throw new GatewayError(
        "thread_unsupported",
        "thread: message threads are not supported here; send the whole history.",
        {
          param: "thread",
        },
      );
    return;
  }
  if (wire !== "openai-responses") return;
  if (look("store") === true)
    throw invalid("store", "stored responses are not supported here: send false, or leave it out");
  if (look("background") === true) throw invalid("background", "background responses are not supported here");
  for (const field of ["previous_response_id", "conversation"])
    if ((look(field) ?? null) !== null)
      throw invalid(field, "kept conversations are not supported here: send the whole history in input");
};

/** Throws a 400 that names the field. */
export const readCall = (call: ChatCall): ReadCall => {
  const given = call.request;
  if (given !== undefined)
    return { call, model: given.model, stream: given.stream, scan: undefined, request: () => given };
  const scan = scanObject(call.body);
  let parsed: JsonObject | undefined;
  const body = (): JsonObject => (parsed ??= parseBody(call.body));
  const look: Look =
    scan === undefined
      ? (name) => body()[name]
      : (name) => {
          const text = memberText(scan, name);
          if (text === undefined) return undefined;
          const value = parseJson(text);
          if (value === undefined)
            throw new GatewayError("invalid_request", "The request body is not valid JSON.", { param: name });
          return value;
        };

  refuseState(call.wire.id, look);
  const model = call.path.model ?? look("model");
  if (typeof model !== "string" || model === "") throw invalid("model", "expected the name of a model");
  const stream = call.path.stream ?? look("stream") ?? false;
  if (typeof stream !== "boolean") throw invalid("stream", "expected true or false");

  let request: ChatRequest | undefined;
  return {
    call,
    model,
    stream,
    scan,
    request: () => (request ??= call.wire.decodeRequest(body(), { ...call.path, model, stream })),
  };
};
