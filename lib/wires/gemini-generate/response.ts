// A whole answer, read as the single chunk of a stream, and written.
import type { ChatResponse, StopReason } from "../../model/event.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type { Part } from "../../model/message.ts";
import type { Extra } from "../../model/wire-id.ts";
import type { ReplyContext, Target } from "../wire.ts";
import { GatewayError } from "../../model/error.ts";
import { asObject, compact, isObject } from "../../model/json.ts";
import { fold } from "../shared/fold.ts";
import { createAnswerReader } from "./answer-reader.ts";
import { errorIn } from "./errors.ts";
import { encodeFinish } from "./finish.ts";
import { createGrounder } from "./grounding.ts";
import { nativeOrigin, own } from "./names.ts";
import type { Reader } from "./parts.ts";
import { encodePart } from "./parts.ts";
import { encodeUsage } from "./usage.ts";

/** What shows that an object is an answer of this wire, where it has no candidate. */
const marks = ["candidates", "promptFeedback", "usageMetadata", "responseId", "modelVersion"];

/** Throws the provider's own error, or `upstream_error` where the body is not an answer. */
export const decodeResponse = (body: Json, target: Target): ChatResponse => {
  const first = Array.isArray(body) ? body[0] : body;
  if (errorIn(body) === undefined && !(isObject(first) && marks.some((mark) => mark in first)))
    throw new GatewayError("upstream_error", "The provider sent what is not an answer.", { provider: target.provider });
  const reader = createAnswerReader(target);
  const events = reader.chunk(body);
  return fold([...events, ...reader.finish(false)]);
};

export const toClient: Reader = { maker: nativeOrigin, client: true, functionIds: true };

type Ending = { reason: StopReason; native?: string; extra?: Extra };

/** A candidate's fields beside its content. Its own metadata go back as they were; citations of other wires become grounding. */
export const candidateFields = (ending: Ending, grounding: JsonObject | undefined): JsonObject => {
  const fields = asObject(own(ending.extra)?.["candidate"]);
  return compact<JsonObject>({
    finishReason: encodeFinish(ending.reason, ending.native),
    groundingMetadata: grounding,
    ...fields,
  });
};

/** Fields of the answer as a whole; those of a candidate and bare usage are kept apart in the same extra. */
export const answerFields = (extra: Extra | undefined): JsonObject => {
  const { candidate: _candidate, usageMetadata: _usage, ...fields } = own(extra) ?? {};
  return fields;
};

/** A prompt that Gemini refused has feedback and no candidate. */
export const isBlocked = (extra: Extra | undefined, hasParts: boolean): boolean =>
  !hasParts && own(extra)?.["candidate"] === undefined && isObject(own(extra)?.["promptFeedback"]);

const encodeCandidate = (parts: readonly Part[], ending: Ending, index: number): JsonObject => {
  const grounder = createGrounder();
  const natives: JsonObject[] = [];
  for (const part of parts) {
    if (part.type === "text" || part.type === "refusal") grounder.add(part);
    const native = encodePart(part, toClient);
    if (native !== undefined) natives.push(native);
  }
  return { content: { role: "model", parts: natives }, ...candidateFields(ending, grounder.metadata()), index };
};

export const encodeResponse = (response: ChatResponse, _context: ReplyContext): JsonObject => {
  const alternatives = response.alternatives ?? [];
  const blocked = alternatives.length === 0 && isBlocked(response.extra, response.parts.length > 0);
  return compact<JsonObject>({
    candidates: blocked
      ? undefined
      : [
          encodeCandidate(response.parts, response, 0),
          ...alternatives.map((alternative, at) => encodeCandidate(alternative.parts, alternative, at + 1)),
        ],
    usageMetadata: response.usage === undefined ? own(response.extra)?.["usageMetadata"] : encodeUsage(response.usage),
    modelVersion: response.model,
    responseId: response.id === "" ? undefined : response.id,
    ...answerFields(response.extra),
  });
};
