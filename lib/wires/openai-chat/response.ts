// A whole answer, both ways.
import type { ChatCompletionMessage } from "openai/resources/chat/completions";
import { GatewayError } from "../../model/error.ts";
import type { ChatResponse } from "../../model/event.ts";
import { asNumber, asObject, asString, compact, isObject, type Json, type JsonObject } from "../../model/json.ts";
import type { AudioPart, Part, TextPart } from "../../model/message.ts";
import type { ChatRequest } from "../../model/request.ts";
import { decodeOpenAiError } from "../shared/openai-error.ts";
import type { ReplyContext, Target } from "../wire.ts";
import { decodeAssistant } from "./assistant.ts";
import { encodeCall, isLegacy } from "./calls.ts";
import { encodeAnnotation } from "./citations.ts";
import { dataUrl } from "./content.ts";
import { decodeFinish, encodeFinish, isFailure, type Contents } from "./finish.ts";
import { bindLogprobs, gatherLogprobs } from "./logprobs.ts";
import { callIdFor, completionId, isEmpty, json, keptIn, objects, own, rest, wireId } from "./names.ts";
import { encodeReasoning, extraContent, isReasoning } from "./reasoning.ts";
import { decodeUsage, encodeUsage, usageIn } from "./usage.ts";

export const answerFields: ReadonlySet<string> = new Set([
  "id",
  "object",
  "created",
  "model",
  "choices",
  "usage",
  "error",
]);
export const choiceFields: ReadonlySet<string> = new Set([
  "index",
  "message",
  "delta",
  "finish_reason",
  "logprobs",
  "error",
]);

type Candidate = NonNullable<ChatResponse["alternatives"]>[number];

const contentsOf = (parts: readonly Part[]): Contents => ({
  calls: parts.some((part) => part.type === "tool-call"),
  refusal: parts.some((part) => part.type === "refusal"),
  text: parts.some((part) => part.type === "text" && part.text !== ""),
});

/** An error inside an answer or a stream, under a 200 (F27). */
export const errorInside = (body: JsonObject, target: Target): GatewayError =>
  decodeOpenAiError(200, {}, JSON.stringify({ error: body["error"] }), target, wireId);

export const failedChoice = (choice: JsonObject, target: Target): GatewayError | undefined => {
  if ((choice["error"] ?? null) !== null) return errorInside(choice, target);
  const finish = asString(choice["finish_reason"]);
  return finish !== undefined && isFailure(finish)
    ? new GatewayError("upstream_error", "The provider failed in the middle of its answer.", {
        provider: target.provider,
      })
    : undefined;
};

const decodeChoice = (choice: JsonObject, at: number, answerId: string, target: Target): Candidate => {
  const failure = failedChoice(choice, target);
  if (failure !== undefined) throw failure;
  const { parts, left } = decodeAssistant(asObject(choice["message"]) ?? asObject(choice["delta"]) ?? {}, {
    author: { client: false, maker: target.maker },
    callId: (call) => callIdFor(answerId, at, call),
  });
  const unbound = bindLogprobs(parts, choice);
  const others = rest(choice, choiceFields);
  if (unbound !== undefined) others["logprobs"] = unbound;
  return {
    parts,
    ...decodeFinish(asString(choice["finish_reason"]), contentsOf(parts)),
    ...keptIn(
      compact<JsonObject>({ choice: isEmpty(others) ? undefined : others, message: isEmpty(left) ? undefined : left }),
    ),
  };
};

export const decodeResponse = (body: Json, target: Target): ChatResponse => {
  if (isObject(body) && (body["error"] ?? null) !== null) throw errorInside(body, target);
  const choices = isObject(body) ? objects(body["choices"]) : [];
  if (!isObject(body) || choices.length === 0)
    throw new GatewayError("upstream_error", "The provider's answer is not a chat completion.", {
      provider: target.provider,
    });
  const id = asString(body["id"]) ?? "";
  const [first, ...alternatives] = choices
    .map((choice, at) => ({ index: asNumber(choice["index"]) ?? at, choice }))
    .sort((a, b) => a.index - b.index)
    .map(({ choice }, at) => decodeChoice(choice, at, id, target));
  const { extra, ...answer } = first ?? { parts: [], reason: "other" as const };
  const fields = rest(body, answerFields);
  return compact<ChatResponse>({
    id,
    model: asString(body["model"]) || target.model,
    createdAt: asNumber(body["created"]),
    ...answer,
    usage: decodeUsage(usageIn(body), target),
    alternatives: alternatives.length === 0 ? undefined : alternatives,
    ...keptIn({ ...extra?.[wireId], ...(isEmpty(fields) ? {} : { fields }) }),
  });
};

/** Whether the caller declared `functions`, and knows of nothing newer. */
export const isLegacyCaller = (request: ChatRequest): boolean =>
  request.tools.some((tool) => tool.type === "function" && isLegacy(tool));

export const encodeAudio = (part: AudioPart, context: ReplyContext): JsonObject => ({
  id: part.id ?? `audio_${context.newId()}`,
  data: part.source.kind === "base64" ? part.source.data : "",
  transcript: part.transcript ?? "",
  expires_at: Math.floor(context.now / 1000) + 3600,
  ...own(part),
});

export const encodeImage = (part: Part): JsonObject | undefined => {
  if (part.type !== "image" || (part.source.kind !== "base64" && part.source.kind !== "url")) return undefined;
  const url = part.source.kind === "base64" ? dataUrl(part.source) : part.source.url;
  return { type: "image_url", image_url: { url } };
};

/** What an opaque part of another wire says in plain text; "" where it says nothing here. */
export const opaqueText = (part: Part): string =>
  part.type === "opaque" && part.wire !== wireId ? (part.text ?? "") : "";

const encodeMessage = (parts: readonly Part[], left: JsonObject, context: ReplyContext): JsonObject => {
  const contents = contentsOf(parts);
  const annotations: JsonObject[] = [];
  let content = "";
  const texts: TextPart[] = [];
  for (const part of parts) {
    if (part.type === "opaque") content += opaqueText(part);
    if (part.type !== "text") continue;
    for (const citation of part.citations ?? []) {
      const annotation = encodeAnnotation(citation, content.length, part.text.length);
      if (annotation !== undefined) annotations.push(annotation);
    }
    content += part.text;
    texts.push(part);
  }
  const refusal = parts.flatMap((part) => (part.type === "refusal" ? [part.text] : []));
  const calls = parts.filter((part) => part.type === "tool-call");
  const audio = parts.find((part) => part.type === "audio");
  const silent = contents.calls || contents.refusal || audio !== undefined;
  const message = {
    role: "assistant",
    content: content === "" && silent ? null : content,
    refusal: refusal.length === 0 ? null : refusal.join(""),
  } satisfies ChatCompletionMessage;
  const images = parts.map(encodeImage).filter((image) => image !== undefined);
  const legacy = isLegacyCaller(context.request);
  const [call] = calls;
  return compact<JsonObject>({
    ...json(message),
    annotations: annotations.length === 0 ? undefined : annotations,
    ...encodeReasoning(parts.filter(isReasoning)),
    audio: audio === undefined ? undefined : encodeAudio(audio, context),
    images: images.length === 0 ? undefined : images,
    tool_calls:
      calls.length === 0 || legacy
        ? undefined
        : calls.map((part) => encodeCall(part, part.callId || `call_${context.newId()}`, extraContent(part.opaque))),
    function_call: call === undefined || !legacy ? undefined : { name: call.name, arguments: call.arguments || "{}" },
    extra_content: extraContent(texts.findLast((part) => part.opaque !== undefined)?.opaque),
    ...left,
  });
};

const encodeChoice = (candidate: Candidate, index: number, context: ReplyContext): JsonObject => {
  const kept = own(candidate);
  return {
    index,
    message: encodeMessage(candidate.parts, asObject(kept?.["message"]) ?? {}, context),
    logprobs: gatherLogprobs(candidate.parts) ?? null,
    finish_reason: encodeFinish(candidate.reason, contentsOf(candidate.parts), isLegacyCaller(context.request)),
    ...asObject(kept?.["choice"]),
  };
};

export const encodeResponse = (response: ChatResponse, context: ReplyContext): JsonObject => ({
  id: completionId(response.id, context.newId),
  object: "chat.completion",
  created: response.createdAt ?? Math.floor(context.now / 1000),
  model: response.model || context.request.model,
  choices: [response, ...(response.alternatives ?? [])].map((candidate, index) =>
    encodeChoice(candidate, index, context),
  ),
  ...(response.usage === undefined ? {} : { usage: encodeUsage(response.usage) }),
  ...asObject(own(response)?.["fields"]),
});
