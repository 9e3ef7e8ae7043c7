// A client's request to the model. Wrong types are refused by name; fields nobody knows are carried (PROTOCOLS section 14).
import type { MessageCreateParamsBase } from "@anthropic-ai/sdk/resources/beta/messages/messages";
import { invalid } from "../../model/error.ts";
import { asArray, asNumber, asObject, asString, isObject } from "../../model/json.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type { Message, Role, TextPart } from "../../model/message.ts";
import type { ChatRequest, OutputFormat, Sampling } from "../../model/request.ts";
import type { RequestContext } from "../wire.ts";
import { clientReader, decodeContent } from "./blocks-decode.ts";
import { carried, decodeCache, wire } from "./common.ts";
import { decodeReasoning } from "./thinking.ts";
import { decodeToolChoice, decodeTools } from "./tools.ts";

/** What has a place in the model. temperature, top_p and top_k left the SDK, but not the API. */
const known: ReadonlySet<string> = new Set<keyof MessageCreateParamsBase | "temperature" | "top_p" | "top_k">([
  "model",
  "messages",
  "system",
  "max_tokens",
  "stream",
  "tools",
  "tool_choice",
  "metadata",
  "service_tier",
  "stop_sequences",
  "temperature",
  "top_p",
  "top_k",
  "thinking",
  "output_config",
  "output_format",
  "cache_control",
]);

const absent = (value: Json | undefined): value is undefined | null => value === undefined || value === null;

const field = <T>(
  body: JsonObject,
  name: string,
  read: (value: Json) => T | undefined,
  expected: string,
): T | undefined => {
  const value = body[name];
  if (absent(value)) return undefined;
  const found = read(value);
  if (found === undefined) throw invalid(name, expected);
  return found;
};

const texts = (value: Json): string[] | undefined => {
  const list = asArray(value);
  return list?.every((item) => typeof item === "string") === true ? list : undefined;
};

const roles = new Set<Role>(["user", "assistant", "system"]);
const isRole = (value: Json | undefined): value is Role => roles.has(value as Role);

const messageFields = new Set(["role", "content"]);

const decodeMessages = (value: Json | undefined): Message[] => {
  const list = asArray(value);
  if (list === undefined) throw invalid("messages", "expected an array");
  return list.map((item, at) => {
    const path = `messages[${at}]`;
    if (!isObject(item)) throw invalid(path, "expected an object");
    const role = item["role"];
    if (!isRole(role)) throw invalid(`${path}.role`, 'expected "user", "assistant" or "system"');
    if (absent(item["content"])) throw invalid(`${path}.content`, "expected a string or an array of content blocks");
    const parts = decodeContent(item["content"], clientReader, `${path}.content`);
    const message: Message = { role, parts };
    const extra = carried(item, messageFields)?.extra;
    if (extra !== undefined) message.extra = extra;
    return message;
  });
};

const decodeSystem = (value: Json | undefined): TextPart[] =>
  decodeContent(value, clientReader, "system").map((part, at) => {
    if (part.type !== "text") throw invalid(`system[${at}].type`, 'expected "text"');
    return part;
  });

const decodeSampling = (body: JsonObject): Sampling => {
  const sampling: Sampling = {};
  const temperature = field(body, "temperature", asNumber, "expected a number");
  const topP = field(body, "top_p", asNumber, "expected a number");
  const topK = field(body, "top_k", asNumber, "expected a number");
  const stop = field(body, "stop_sequences", texts, "expected an array of strings");
  if (temperature !== undefined) sampling.temperature = temperature;
  if (topP !== undefined) sampling.topP = topP;
  if (topK !== undefined) sampling.topK = topK;
  if (stop !== undefined) sampling.stop = stop;
  return sampling;
};

const formatFields = new Set(["type", "schema", "name", "description", "strict"]);

/** Undefined where the format is of a kind without a neutral form. */
const decodeFormat = (format: JsonObject): OutputFormat | undefined => {
  const schema = asObject(format["schema"]);
  if (format["type"] !== "json_schema" || schema === undefined) return undefined;
  const output: OutputFormat = { type: "json-schema", schema };
  const name = asString(format["name"]);
  if (name !== undefined) output.name = name;
  return { ...output, ...carried(format, formatFields) };
};

/** The fields of a nested object that are carried, under the object's own name. */
const restOf = (name: string, value: JsonObject | undefined, fields: readonly string[]): JsonObject => {
  const rest = value === undefined ? undefined : carried(value, new Set(fields))?.extra[wire];
  return rest === undefined ? {} : { [name]: rest };
};

export const decodeRequest = (body: JsonObject, context: RequestContext): ChatRequest => {
  const model = field(body, "model", asString, "expected a string") ?? context.model;
  if (model === undefined || model === "") throw invalid("model", "expected a model's name");
  const request: ChatRequest = {
    model,
    stream: body["stream"] === true || (absent(body["stream"]) && context.stream === true),
    system: decodeSystem(body["system"]),
    messages: decodeMessages(body["messages"]),
    tools: decodeTools(body["tools"]),
    sampling: decodeSampling(body),
    ...decodeToolChoice(body["tool_choice"]),
  };
  const limit = field(body, "max_tokens", asNumber, "expected a number");
  const tier = field(body, "service_tier", asString, "expected a string");
  const thinking = field(body, "thinking", asObject, "expected an object");
  const config = field(body, "output_config", asObject, "expected an object");
  const older = field(body, "output_format", asObject, "expected an object");
  const metadata = field(body, "metadata", asObject, "expected an object");
  if (limit !== undefined) request.maxOutputTokens = limit;
  if (tier !== undefined) request.serviceTier = tier;
  const reasoning = decodeReasoning(thinking, asString(config?.["effort"]));
  if (reasoning !== undefined) request.reasoning = reasoning;
  const format = asObject(config?.["format"]) ?? older;
  const output = format === undefined ? undefined : decodeFormat(format);
  if (output !== undefined) request.output = output;
  const userId = asString(metadata?.["user_id"]);
  if (userId !== undefined) request.metadata = { userId };
  const { cache, rest: cacheRest } = decodeCache(body["cache_control"]);
  if (cache !== undefined) request.cache = cache;

  const nested: JsonObject = {
    ...restOf("metadata", metadata, ["user_id"]),
    ...restOf("output_config", config, output === undefined ? ["effort"] : ["effort", "format"]),
    ...(cacheRest === undefined ? {} : { cache_control: cacheRest }),
    ...(output === undefined && older !== undefined ? { output_format: older } : {}),
  };
  const extra = { ...carried(body, known)?.extra[wire], ...nested };
  if (Object.keys(extra).length > 0) request.extra = { [wire]: extra };
  return request;
};
