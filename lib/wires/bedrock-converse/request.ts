// A Converse request, read and written. The model is in the path, never in the body.
import type { JsonObject } from "../../model/json.ts";
import type { ChatRequest } from "../../model/request.ts";
import type { WireId } from "../../model/wire-id.ts";
import { asObject, asString, compact, isObject, unknownFields } from "../../model/json.ts";
import type { EncodedRequest, RequestContext, Target } from "../wire.ts";
import { decodeInference, decodeOutput, encodeConfig } from "./config.ts";
import { cacheLast, decodeMessages, decodeSystem, encodeMessages, encodeSystem } from "./history.ts";
import { createDocumentNames } from "./media.ts";
import { familyOf, makerOf } from "./models.ts";
import { asExtra, objectAt, own, wireId } from "./names.ts";
import { legalCallId, type Writer } from "./parts.ts";
import { decodeToolChoice, decodeTools, encodeTools } from "./tools.ts";

const known = new Set([
  "modelId",
  "messages",
  "system",
  "inferenceConfig",
  "toolConfig",
  "outputConfig",
  "serviceTier",
  "requestMetadata",
]);

/** The name under which a user's id stands among the request's metadata. */
const userKey = "user_id";

const decodeMetadata = (value: JsonObject | undefined): ChatRequest["metadata"] => {
  if (value === undefined) return undefined;
  const { [userKey]: userId, ...labels } = value;
  return compact<NonNullable<ChatRequest["metadata"]>>({
    userId: asString(userId),
    labels: Object.keys(labels).length === 0 ? undefined : labels,
  });
};

export const decodeRequest = (body: JsonObject, context: RequestContext): ChatRequest => {
  const model = context.model ?? asString(body["modelId"]) ?? "";
  const tools = objectAt(body["toolConfig"], "toolConfig") ?? {};
  const inference = decodeInference(body["inferenceConfig"]);
  const format = decodeOutput(body["outputConfig"]);
  const extra: JsonObject = { ...unknownFields(body, known) };
  if (inference.rest !== undefined) extra["inferenceConfig"] = inference.rest;
  if (format.rest !== undefined) extra["outputConfig"] = format.rest;
  return compact<ChatRequest>({
    model,
    stream: context.stream ?? false,
    system: decodeSystem(body["system"]),
    messages: decodeMessages(body["messages"], makerOf(model)),
    tools: decodeTools(tools["tools"]),
    toolChoice: decodeToolChoice(tools["toolChoice"]),
    output: format.output,
    sampling: inference.sampling,
    maxOutputTokens: inference.maxOutputTokens,
    serviceTier: asString(objectAt(body["serviceTier"], "serviceTier")?.["type"]),
    metadata: decodeMetadata(objectAt(body["requestMetadata"], "requestMetadata")),
    extra: asExtra(extra),
  });
};

const tiers: Record<string, string | undefined> = {
  default: "default",
  standard: "default",
  standard_only: "default",
  flex: "flex",
  priority: "priority",
  reserved: "reserved",
};

const encodeTier = (tier: string | undefined, writer: Writer): JsonObject | undefined => {
  if (tier === undefined || tier === "auto") return undefined;
  const type = tiers[tier];
  if (type !== undefined) return { type };
  writer.drop("serviceTier");
  return undefined;
};

/** Characters that AWS allows in the names and values of request metadata. */
const plain = /^[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}$/;

const encodeMetadata = (metadata: ChatRequest["metadata"], writer: Writer): JsonObject | undefined => {
  const fields: JsonObject = {};
  const add = (name: string, value: unknown, path: string): void => {
    const legal = typeof value === "string" && plain.test(value) && plain.test(name) && Object.keys(fields).length < 16;
    if (legal) fields[name] = value;
    else writer.drop(path);
  };
  for (const [name, value] of Object.entries(metadata?.labels ?? {})) add(name, value, `metadata.labels.${name}`);
  if (metadata?.userId !== undefined) add(userKey, metadata.userId, "metadata.userId");
  return Object.keys(fields).length === 0 ? undefined : fields;
};

/** Fields that the client's own wire alone knows; Converse can't be told them. */
const dropForeign = (request: ChatRequest, writer: Writer): void => {
  for (const [wire, fields] of Object.entries(request.extra ?? {}) as [WireId, JsonObject | undefined][])
    if (wire !== wireId) for (const name in fields) writer.drop(name);
};

/** Fields with no place here are named in `dropped` (F18). Throws `invalid_request` for media that Bedrock can't be given (F16). */
export const encodeRequest = (request: ChatRequest, target: Target): EncodedRequest => {
  const dropped = new Set<string>();
  const writer: Writer = {
    maker: target.maker,
    family: familyOf(target.model),
    names: createDocumentNames(),
    callId: legalCallId,
    drop: (path) => dropped.add(path),
  };
  const extra = own(request.extra) ?? {};
  const system = encodeSystem(request.system, writer);
  const messages = encodeMessages(request.messages, writer);
  if (request.cache !== undefined) cacheLast(messages, request.cache.ttl, writer);
  const tools = encodeTools(request, target, writer);
  const config = encodeConfig(request, target, writer, extra);
  const modelFields: JsonObject = {
    ...config.modelFields,
    ...tools.modelFields,
    ...asObject(extra["additionalModelRequestFields"]),
  };
  const { inferenceConfig: _inference, outputConfig: _output, ...rest } = extra;
  if (request.verbosity !== undefined) writer.drop("verbosity");
  if (request.cacheKey !== undefined) writer.drop("cacheKey");
  dropForeign(request, writer);

  const body = compact<JsonObject>({
    system: system.length === 0 ? undefined : system,
    messages,
    toolConfig: tools.toolConfig,
    inferenceConfig: config.inferenceConfig,
    outputConfig: config.outputConfig,
    serviceTier: encodeTier(request.serviceTier, writer),
    requestMetadata: encodeMetadata(request.metadata, writer),
    ...rest,
    additionalModelRequestFields: Object.keys(modelFields).length === 0 ? undefined : modelFields,
  });
  for (const name of target.dialect.refuses ?? []) refuse(body, name, writer);
  return { body, dropped: [...dropped] };
};

/** A field that the host's dialect refuses, by its name in the body or in one of the body's groups. */
const refuse = (body: JsonObject, name: string, writer: Writer): void => {
  for (const fields of [body, body["inferenceConfig"], body["additionalModelRequestFields"]]) {
    if (!isObject(fields) || fields[name] === undefined) continue;
    delete fields[name];
    writer.drop(name);
  }
};
