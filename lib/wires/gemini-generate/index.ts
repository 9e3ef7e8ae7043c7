// The Gemini wire: generateContent and streamGenerateContent, for its clients and its providers.
import type { ClientWire } from "../wire.ts";
import { decodeError, encodeError } from "./errors.ts";
import { wireId } from "./names.ts";
import { decodeRequest, encodeRequest } from "./request.ts";
import { decodeResponse, encodeResponse } from "./response.ts";
import { decodeEvents } from "./stream-reader.ts";
import { encodeEvents } from "./stream-writer.ts";
import { decodeUsage } from "./usage.ts";

export { wrapStreamError } from "./errors.ts";
export { encodeGeminiArray } from "./stream-writer.ts";

/**
 * An SSE comment would be the usual sign of life, but @google/generative-ai fails on any block that does not begin with `data: `.
 * An empty text does: Google sends such chunks itself.
 */
const heartbeat = `data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"index":0}]}\r\n\r\n`;

/** The same for the array form: white space between its elements. */
export const arrayHeartbeat = "\n";

export const geminiGenerate: ClientWire = {
  id: wireId,
  streamType: "text/event-stream",
  heartbeat,
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
  usageMember: "usageMetadata",
  decodeUsage,
  decodeEvents,
  encodeEvents,
  decodeError,
  encodeError,
};
