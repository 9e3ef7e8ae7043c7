// A provider's stream as events. Whatever a host sends under a 200 is read; what is no stream of this wire, or breaks off, is an error (F26, F27).
import { createSseSplitter, type SseEvent } from "../../http/sse.ts";
import { GatewayError, toGatewayError } from "../../model/error.ts";
import type { StreamEvent } from "../../model/event.ts";
import { asNumber, asObject, asString, isObject, parseJson, type Json, type JsonObject } from "../../model/json.ts";
import type { Usage } from "../../model/usage.ts";
import { unfold } from "../shared/fold.ts";
import { decodeOpenAiError } from "../shared/openai-error.ts";
import type { EventDecoder, Target } from "../wire.ts";
import { createFastText } from "./fast-text.ts";
import { callIdFor, extraOf, isEmpty, objects, rest, wireId } from "./names.ts";
import { answerFields, decodeResponse, errorInside, failedChoice } from "./response.ts";
import { createChoice, type ChoiceReader } from "./stream-choice.ts";
import { decodeUsage, usageIn } from "./usage.ts";

/** The most that is kept of what is no event, in bytes: for a plain JSON answer in place of a stream, or behind one. */
const longestTail = 1024 * 1024;

/** Fields of a chunk that say nothing. */
const chunkFields = new Set([...answerFields, "obfuscation", "p"]);

export const createReader = (target: Target): EventDecoder => {
  const splitter = createSseSplitter();
  const fast = createFastText();
  const choices = new Map<number, ChoiceReader>();
  let first: ChoiceReader | undefined;
  let id = "";
  let model = "";
  let fields: JsonObject = {};
  let usage: Usage | undefined;
  let parts = 0;
  let started = false;
  let over = false;
  let tail: Uint8Array[] = [];
  let tailSize = 0;

  const fail = (error: GatewayError, out: StreamEvent[]): void => {
    if (over) return;
    over = true;
    out.push({ type: "error", error });
  };
  const failure = (message: string): GatewayError =>
    new GatewayError("upstream_error", message, { provider: target.provider });

  const start = (chunk: JsonObject, out: StreamEvent[]): void => {
    started = true;
    const createdAt = asNumber(chunk["created"]);
    const event: StreamEvent = { type: "response-start", id, model: model || target.model };
    if (createdAt !== undefined) event.createdAt = createdAt;
    if (!isEmpty(fields)) event.extra = extraOf({ fields: { ...fields } });
    out.push(event);
  };

  const choiceAt = (index: number): ChoiceReader => {
    let found = choices.get(index);
    if (found === undefined) {
      found = createChoice({
        target,
        choice: index,
        nextPart: () => {
          parts += 1;
          return parts - 1;
        },
        callId: (at) => callIdFor(id, index, at),
      });
      choices.set(index, found);
      if (index === 0) first = found;
    }
    return found;
  };

  const endChoice = (index: number, choice: ChoiceReader, out: StreamEvent[]): void => {
    if (index === 0) return;
    const left = choice.left();
    const event: StreamEvent = { type: "choice-end", choice: index, ...choice.ending() };
    if (!isEmpty(left)) event.extra = extraOf(left);
    out.push(event);
  };

  const complete = (out: StreamEvent[]): void => {
    if (over) return;
    if (!started || choices.size === 0) {
      fail(failure("The provider's stream held no answer."), out);
      return;
    }
    over = true;
    for (const [index, choice] of choices) {
      if (choice.finished()) continue;
      choice.end(out);
      endChoice(index, choice, out);
    }
    const main = choiceAt(0);
    // Deltas may have come behind the finish reason.
    main.end(out);
    const left = { ...main.left(), ...(isEmpty(fields) ? {} : { fields }) };
    const event: StreamEvent = { type: "response-end", ...main.ending() };
    if (usage !== undefined) event.usage = usage;
    if (!isEmpty(left)) event.extra = extraOf(left);
    out.push(event);
  };

  const readChunk = (chunk: JsonObject, out: StreamEvent[]): void => {
    const told = decodeUsage(usageIn(chunk), target);
    if ((chunk["error"] ?? null) !== null) {
      if (told !== undefined && started) out.push({ type: "usage", usage: told });
      fail(errorInside(chunk, target), out);
      return;
    }
    id = id || (asString(chunk["id"]) ?? "");
    model = model || (asString(chunk["model"]) ?? "");
    const left = rest(chunk, chunkFields);
    if (!isEmpty(left)) fields = { ...fields, ...left };
    // Azure's first frame has no choice, only what its filters say (F7).
    const list = objects(chunk["choices"]);
    if (!started && list.length > 0) start(chunk, out);
    list.forEach((object, at) => {
      const failed = failedChoice(object, target);
      if (failed !== undefined) {
        fail(failed, out);
        return;
      }
      const index = asNumber(object["index"]) ?? at;
      const choice = choiceAt(index);
      const before = choice.finished();
      choice.read(object, out);
      if (!before && choice.finished()) endChoice(index, choice, out);
    });
    if (told === undefined || over) return;
    usage = told;
    out.push({ type: "usage", usage });
  };

  const readEvent = (event: SseEvent, out: StreamEvent[], last: boolean): void => {
    if (over) return;
    const { data } = event;
    const index = first?.openText();
    if (index !== undefined && event.event === undefined) {
      const text = fast.read(data);
      if (text !== undefined) {
        first?.sawText(text.length);
        out.push({ type: "part-delta", index, delta: { type: "text", text } });
        return;
      }
    }
    const trimmed = data.trim();
    if (trimmed === "") return;
    if (trimmed === "[DONE]") {
      complete(out);
      return;
    }
    const chunk = parseJson(trimmed);
    if (!isObject(chunk)) {
      // A frame that the connection cut off is told by `end`.
      if (!last) fail(failure("The provider's stream holds what is not JSON."), out);
      return;
    }
    if (event.event === "error" && chunk["error"] === undefined) {
      fail(errorInside({ error: chunk }, target), out);
      return;
    }
    readChunk(chunk, out);
    fast.learn(data, chunk);
  };

  /** What stands behind the last event and is no event: an error as plain JSON, or a whole answer of a host that can't stream. */
  const trailing = (): Json | undefined => {
    if (tailSize > longestTail) return undefined;
    const text = Buffer.concat(tail).toString("utf8");
    const event = Math.max(text.lastIndexOf("\ndata:"), text.startsWith("data:") ? 0 : -1);
    const from = event < 0 ? 0 : text.indexOf("\n", event + 1);
    return from < 0 ? undefined : parseJson(text.slice(from).trim());
  };

  const readTrailing = (out: StreamEvent[]): void => {
    const found = trailing();
    const body = Array.isArray(found) ? found[0] : found;
    if (!isObject(body)) return;
    if (!started && objects(body["choices"]).length > 0 && (body["error"] ?? null) === null) {
      try {
        out.push(...unfold(decodeResponse(body, target)));
        over = true;
      } catch (thrown) {
        fail(toGatewayError(thrown), out);
      }
      return;
    }
    if (
      body["error"] !== undefined ||
      asObject(body["detail"]) !== undefined ||
      asString(body["message"]) !== undefined
    )
      fail(decodeOpenAiError(200, {}, JSON.stringify(body), target, wireId), out);
  };

  return {
    push: (bytes) => {
      const out: StreamEvent[] = [];
      if (over) return out;
      const events = splitter.push(bytes);
      if (events.length > 0) {
        tail = [bytes];
        tailSize = bytes.length;
      } else {
        tailSize += bytes.length;
        if (tailSize <= longestTail) tail.push(bytes);
      }
      for (const event of events) readEvent(event, out, false);
      return out;
    },
    end: () => {
      const out: StreamEvent[] = [];
      if (over) return out;
      for (const event of splitter.end()) readEvent(event, out, true);
      readTrailing(out);
      // A finish reason is the end, with or without `[DONE]`.
      if (first?.finished() === true) complete(out);
      else fail(failure("The provider's stream ended before it was finished."), out);
      return out;
    },
  };
};
