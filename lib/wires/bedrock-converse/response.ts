// A whole Converse answer, read and written; its stop reasons and token counts.
import type { ChatResponse, StopReason } from "../../model/event.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type { Part } from "../../model/message.ts";
import type { Usage } from "../../model/usage.ts";
import { GatewayError } from "../../model/error.ts";
import { asArray, asNumber, asObject, asString, compact, isObject, unknownFields } from "../../model/json.ts";
import { clampUsage } from "../../model/usage.ts";
import type { ReplyContext, Target } from "../wire.ts";
import { decodeBlocks } from "./content.ts";
import { asExtra, own } from "./names.ts";
import { makerOf } from "./models.ts";
import { encodeAnswerPart } from "./parts.ts";

/** Read from left to right; from right to left the first row with a reason counts. */
const reasons: readonly (readonly [string, StopReason])[] = [
  ["end_turn", "end"],
  ["stop_sequence", "stop-sequence"],
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "context-length"],
  ["tool_use", "tool-calls"],
  ["content_filtered", "content-filter"],
  ["guardrail_intervened", "content-filter"],
  ["malformed_tool_use", "malformed-tool-call"],
  ["malformed_model_output", "malformed-tool-call"],
  ["content_filtered", "refusal"],
  ["end_turn", "pause"],
  ["end_turn", "compaction"],
  ["end_turn", "other"],
];

/** A call means `tool-calls` even where the model says that its turn has ended (F3). */
export const decodeReason = (native: string | undefined, called: boolean): StopReason => {
  const reason = reasons.find(([name]) => name === native)?.[1] ?? "other";
  return called && (reason === "end" || reason === "other") ? "tool-calls" : reason;
};

const encodeReason = (reason: StopReason, native: string | undefined): string =>
  reasons.find(([name, meaning]) => name === native && meaning === reason)?.[0] ??
  (reason === "other" && native !== undefined
    ? native
    : (reasons.find(([, meaning]) => meaning === reason)?.[0] ?? "end_turn"));

const knownOfUsage = new Set([
  "inputTokens",
  "outputTokens",
  "totalTokens",
  "cacheReadInputTokens",
  "cacheWriteInputTokens",
]);

/** `inputTokens` is without what was read from or written to the cache; the model's `input` is all of it (F36). */
export const decodeUsage = (value: Json | undefined): Usage | undefined => {
  if (!isObject(value)) return undefined;
  const read = asNumber(value["cacheReadInputTokens"]);
  const write = asNumber(value["cacheWriteInputTokens"]);
  const long = (asArray(value["cacheDetails"]) ?? [])
    .map((entry) => asObject(entry))
    .filter((entry) => entry?.["ttl"] === "1h")
    .reduce((sum, entry) => sum + (asNumber(entry?.["inputTokens"]) ?? 0), 0);
  return clampUsage(
    compact<Usage>({
      input: (asNumber(value["inputTokens"]) ?? 0) + (read ?? 0) + (write ?? 0),
      output: asNumber(value["outputTokens"]) ?? 0,
      cachedInput: read,
      cacheWrite: write,
      cacheWriteLong: long === 0 ? undefined : long,
      extra: asExtra(unknownFields(value, knownOfUsage)),
    }),
  );
};

const encodeUsage = (usage: Usage): JsonObject =>
  compact<JsonObject>({
    inputTokens: usage.input - (usage.cachedInput ?? 0) - (usage.cacheWrite ?? 0),
    outputTokens: usage.output,
    totalTokens: usage.input + usage.output,
    cacheReadInputTokens: usage.cachedInput,
    cacheWriteInputTokens: usage.cacheWrite,
    ...own(usage.extra),
  });

/** The stop sequence that was met, where the caller asked for it among the model's own fields. */
export const stopSequenceOf = (fields: Json | undefined): string | undefined => {
  const found = asObject(fields);
  return asString(found?.["stop_sequence"]) ?? asString(asObject(found?.["delta"])?.["stop_sequence"]);
};

/** Texts without a word are no parts, in a stream as in a whole answer. */
const isNothing = (part: Part): boolean =>
  part.type === "text" && part.text === "" && part.citations === undefined && part.cache === undefined;

const known = new Set(["output", "stopReason", "usage"]);
const knownOfOutput = new Set(["message"]);
const knownOfMessage = new Set(["role", "content"]);

/** Bedrock's answers carry no id and no model's name: the id is "" and the model the target's. */
export const decodeResponse = (body: Json, target: Target): ChatResponse => {
  const answer = asObject(body);
  const output = asObject(answer?.["output"]);
  const message = asObject(output?.["message"]);
  if (answer === undefined || output === undefined || message === undefined)
    throw new GatewayError("upstream_error", "The provider's answer is not a Converse response.", {
      provider: target.provider,
    });
  const reader = { maker: target.maker, role: "assistant" as const, strict: false };
  const parts = decodeBlocks(asArray(message["content"]) ?? [], reader, "output.message.content").filter(
    (part) => !isNothing(part),
  );
  const native = asString(answer["stopReason"]);
  const extra: JsonObject = { ...unknownFields(answer, known) };
  const besideMessage = unknownFields(output, knownOfOutput);
  if (besideMessage !== undefined) extra["output"] = besideMessage;
  const besideContent = unknownFields(message, knownOfMessage);
  if (besideContent !== undefined) extra["message"] = besideContent;
  return compact<ChatResponse>({
    id: "",
    model: target.model,
    parts,
    reason: decodeReason(
      native,
      parts.some((part) => part.type === "tool-call"),
    ),
    native,
    stopSequence: stopSequenceOf(answer["additionalModelResponseFields"]),
    usage: decodeUsage(answer["usage"]),
    extra: asExtra(extra),
  });
};

export const encodeResponse = (response: ChatResponse, _context: ReplyContext): JsonObject => {
  const { output, message, ...rest } = own(response.extra) ?? {};
  const maker = makerOf(response.model);
  return compact<JsonObject>({
    output: {
      message: {
        role: "assistant",
        content: response.parts.flatMap((part) => encodeAnswerPart(part, maker)),
        ...asObject(message),
      },
      ...asObject(output),
    },
    stopReason: encodeReason(response.reason, response.native),
    usage: response.usage === undefined ? undefined : encodeUsage(response.usage),
    ...rest,
  });
};
