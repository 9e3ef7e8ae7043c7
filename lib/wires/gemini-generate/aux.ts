// Counting tokens: `:countTokens`.
import type { JsonObject } from "../../model/json.ts";
import type { ChatRequest } from "../../model/request.ts";
import type { RequestContext } from "../wire.ts";
import { camel, objectAt } from "./names.ts";
import { decodeRequest } from "./request.ts";

/** `{contents}`, or a whole call in `generateContentRequest`. Throws `invalid_request` as `decodeRequest` does. */
export const decodeCountTokens = (body: JsonObject, context: RequestContext): ChatRequest => {
  const native = camel(body);
  const whole = objectAt(native["generateContentRequest"], "generateContentRequest");
  return decodeRequest(whole ?? native, { ...context, stream: false });
};

/** `total`: prompt tokens, system instruction and tools among them. */
export const encodeCountTokens = (total: number): JsonObject => ({
  totalTokens: total,
  promptTokensDetails: [{ modality: "TEXT", tokenCount: total }],
});
