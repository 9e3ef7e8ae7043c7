// Anthropic's Messages protocol, as a lens: on the client's side and on the provider's (Anthropic, Bedrock, hosts that speak it).
import { isObject } from "../../model/json.ts";
import type { ClientWire } from "../wire.ts";
import { decodeError, encodeError } from "./errors.ts";
import { decodeRequest } from "./request-decode.ts";
import { encodeRequest } from "./request-encode.ts";
import { decodeResponse, encodeResponse } from "./response.ts";
import { createReader } from "./stream-reader.ts";
import { heartbeat } from "./stream-frames.ts";
import { createWriter } from "./stream-writer.ts";
import { decodeUsage } from "./usage.ts";

export { countTokensBody } from "./request-encode.ts";

export const anthropicMessages: ClientWire = {
  id: "anthropic-messages",
  streamType: "text/event-stream; charset=utf-8",
  heartbeat,
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
  usageMember: "usage",
  decodeUsage: (value) => (isObject(value) ? decodeUsage(value) : undefined),
  decodeEvents: createReader,
  encodeEvents: createWriter,
  decodeError,
  encodeError,
};
