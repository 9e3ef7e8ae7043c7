// The wire of OpenAI's Responses API, without its server state: input items, output items, and a stream of named events.
import type { ClientWire } from "../wire.ts";
import { decodeOpenAiError, encodeOpenAiError } from "../shared/openai-error.ts";
import { encodeEvents, encodeResponse } from "./events-encode.ts";
import { decodeEvents } from "./events-decode.ts";
import { decodeRequest } from "./request-decode.ts";
import { encodeRequest } from "./request-encode.ts";
import { decodeResponse } from "./response-decode.ts";
import { decodeUsage } from "./usage.ts";

export const openaiResponses: ClientWire = {
  id: "openai-responses",
  streamType: "text/event-stream; charset=utf-8",
  heartbeat: ": keep-alive\n\n",
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
  usageMember: "usage",
  decodeUsage,
  decodeEvents,
  encodeEvents,
  decodeError: (status, headers, body, target) => decodeOpenAiError(status, headers, body, target, "openai-responses"),
  encodeError: (error, requestId) => encodeOpenAiError(error, requestId, "responses"),
};
