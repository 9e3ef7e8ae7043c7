// CountTokens: the same body as the call it counts, wrapped; the answer is `{inputTokens}`.
import { readAll, type TransportResponse } from "../../http/transport.ts";
import { asNumber, asObject, isObject, parseJson, type JsonObject } from "../../model/json.ts";
import type { UpstreamCall } from "../provider.ts";
import { baseModel } from "./endpoints.ts";
import { anthropicRefusal, invokeBody, jsonResponse } from "./invoke.ts";

const converseFields = ["messages", "system", "toolConfig", "additionalModelRequestFields"] as const;

/** InvokeModel refuses a body without `max_tokens`, which a counting client doesn't send; it must exceed a thinking budget. */
const countedBody = (call: UpstreamCall): string => {
  const value = parseJson(invokeBody(call));
  if (!isObject(value)) return invokeBody(call);
  const budget = asNumber(asObject(value["thinking"])?.["budget_tokens"]) ?? 0;
  return JSON.stringify({ ...value, max_tokens: value["max_tokens"] ?? budget + 1 });
};

const countBody = (call: UpstreamCall): string => {
  if (call.wire === "anthropic-messages")
    return JSON.stringify({
      input: { invokeModel: { body: Buffer.from(countedBody(call), "utf8").toString("base64") } },
    });
  const text = typeof call.body === "string" ? call.body : Buffer.from(call.body).toString("utf8");
  const body = asObject(parseJson(text)) ?? {};
  const converse: JsonObject = {};
  for (const name of converseFields) if (body[name] !== undefined) converse[name] = body[name];
  return JSON.stringify({ input: { converse } });
};

const drain = async (response: TransportResponse): Promise<string> =>
  Buffer.from(await readAll(response.body, 1024 * 1024)).toString("utf8");

/**
 * Counting knows models, most of which are called by inference profiles: the model behind the profile is asked first, and the
 * profile itself where that is refused.
 */
export const countTokens = async (
  call: UpstreamCall,
  provider: string,
  send: (model: string, body: string) => Promise<TransportResponse>,
): Promise<TransportResponse> => {
  const body = countBody(call);
  const base = baseModel(call.model);
  let response = await send(base, body);
  if (response.status === 400 && base !== call.model) {
    await drain(response);
    response = await send(call.model, body);
  }
  if (call.wire !== "anthropic-messages") return response;
  if (response.status >= 400) return anthropicRefusal(response, provider);
  const tokens = asNumber(asObject(parseJson(await drain(response)))?.["inputTokens"]);
  return jsonResponse(response.status, response.headers, { input_tokens: tokens });
};
