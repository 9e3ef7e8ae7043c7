// State in a body that its target did not make, or misses, told from the bytes: such a call is translated, which leaves out what others
// made and adds what the target wants in its place (F12, F14, F48).
import { asArray, asObject, type Json, parseJson } from "../model/json.ts";
import type { WireId } from "../model/wire-id.ts";
import { modelFacts } from "../wires/gemini-generate/models.ts";
import type { Target } from "../wires/wire.ts";

/** What sealed state of another maker looks like anywhere in a body (`seal` in wires/shared). */
const sealMark = "aGVkZGxl";
/** Quotes inside of a string are escaped, so these are found in structure alone. */
const thinkingBlock = /"type"\s*:\s*"thinking"/g;
const signature = /"signature"\s*:\s*"/g;
const emptySignature = /"signature"\s*:\s*""/;

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/** Thinking that another host made, or that lost its signature: Anthropic refuses it. */
const hasUnsignedThinking = (body: Buffer): boolean => {
  if (!body.includes('"thinking"')) return false;
  const text = body.toString("latin1");
  return emptySignature.test(text) || count(text, thinkingBlock) > count(text, signature);
};

/** Whether the first call of a turn has no signature, as calls of other models have none: Gemini 3 refuses it. */
const hasUnsignedCall = (body: Buffer): boolean => {
  if (!body.includes('"functionCall"')) return false;
  const contents = asArray(asObject(parseJson(body.toString("utf8")))?.["contents"]) ?? [];
  const firstCall = (content: Json): Json | undefined =>
    asArray(asObject(content)?.["parts"])?.find((part) => asObject(part)?.["functionCall"] !== undefined);
  return contents.some((content) => {
    const call = asObject(firstCall(content));
    return call !== undefined && (call["thoughtSignature"] ?? call["thought_signature"]) === undefined;
  });
};

/** A host that is known to want its reasoning back as plain text makes no state. What an unknown host was sent before may be its own. */
const holdsForeignDetails = (body: Buffer, { dialect }: Target): boolean =>
  dialect.replayReasoning !== undefined &&
  dialect.reasoningEffort !== "openrouter" &&
  (body.includes('"reasoning_details"') || body.includes('"thought_signature"'));

const unfit: Partial<Record<WireId, (body: Buffer, target: Target) => boolean>> = {
  "anthropic-messages": (body, { maker }) => maker === "anthropic" && hasUnsignedThinking(body),
  "gemini-generate": (body, { model }) => modelFacts(model).needsSignatures && hasUnsignedCall(body),
  "openai-chat": holdsForeignDetails,
};

/** Whether `bytes`, a body of `wire`, must not reach the target as it is. */
export const mayHoldForeignState = (bytes: Uint8Array, wire: WireId, target: Target): boolean => {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return body.includes(sealMark) || unfit[wire]?.(body, target) === true;
};
