// OpenAI's Chat Completions, as a lens: on the client's side and on the provider's (OpenAI, Azure, and all the hosts that imitate it).
import { decodeOpenAiError, encodeOpenAiError } from "../shared/openai-error.ts";
import type { ClientWire } from "../wire.ts";
import { decodeRequest } from "./request-decode.ts";
import { encodeRequest } from "./request-encode.ts";
import { decodeResponse, encodeResponse } from "./response.ts";
import { createReader } from "./stream-reader.ts";
import { createWriter } from "./stream-writer.ts";
import { decodeUsage } from "./usage.ts";

export const openaiChat: ClientWire = {
  id: "openai-chat",
  streamType: "text/event-stream; charset=utf-8",
  heartbeat: ": keep-alive\n\n",
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
  usageMember: "usage",
  decodeUsage,
  decodeEvents: createReader,
  encodeEvents: createWriter,
  decodeError: (status, headers, body, target) => decodeOpenAiError(status, headers, body, target, "openai-chat"),
  encodeError: (error, requestId) => encodeOpenAiError(error, requestId, "chat"),
};
