// A provider's stream as neutral events. Made for every dialect of the grammar: without sequence numbers, with items that overlap,
// with only a `.done` where deltas should be, with items that stand in the last event alone.
import { createSseSplitter, type SseEvent } from "../../http/sse.ts";
import { GatewayError } from "../../model/error.ts";
import type { StreamEvent } from "../../model/event.ts";
import {
  asNumber,
  asObject,
  asString,
  compact,
  isObject,
  parseJson,
  type Json,
  type JsonObject,
} from "../../model/json.ts";
import type { EventDecoder, Target } from "../wire.ts";
import { createItemReader } from "./readers/index.ts";
import type { ItemReader, PartSink } from "./readers/item.ts";
import { extraOf, objects, wireId } from "./names.ts";
import { failureOf, responseRest } from "./response-decode.ts";
import { decodeEnding, type Contents } from "./status.ts";
import { decodeUsage } from "./usage.ts";

type Item = { reader: ItemReader; id: string | undefined; at: number | undefined };

const terminal: ReadonlySet<string> = new Set(["response.completed", "response.incomplete", "response.cancelled"]);

export const decodeEvents = (target: Target): EventDecoder => {
  const splitter = createSseSplitter();
  const items: Item[] = [];
  const seen: Contents = { calls: false, refusal: false };
  let out: StreamEvent[] = [];
  let parts = 0;
  let started = false;
  let over = false;

  const sink: PartSink = {
    start: (part) => {
      begin({});
      if (part.type === "tool-call") seen.calls = true;
      else if (part.type === "refusal") seen.refusal = true;
      out.push({ type: "part-start", index: parts, part });
      parts += 1;
      return parts - 1;
    },
    delta: (index, delta) => {
      out.push({ type: "part-delta", index, delta });
    },
    end: (index, final) => {
      const empty = final === undefined || Object.keys(final).length === 0;
      out.push(empty ? { type: "part-end", index } : { type: "part-end", index, final });
    },
  };

  const begin = (response: JsonObject): void => {
    if (started) return;
    started = true;
    out.push(
      compact<Extract<StreamEvent, { type: "response-start" }>>({
        type: "response-start",
        id: asString(response["id"]) ?? "",
        model: asString(response["model"]) ?? target.model,
        createdAt: asNumber(response["created_at"]),
        usage: decodeUsage(response["usage"]),
        extra: extraOf({ response: responseRest(response) }),
      }),
    );
  };

  const fail = (error: GatewayError): void => {
    over = true;
    out.push({ type: "error", error });
  };

  const add = (item: JsonObject, at: number | undefined): Item => {
    const made = { reader: createItemReader(item, target.maker, sink), id: asString(item["id"]), at };
    items.push(made);
    return made;
  };

  /** The item an event is about: by its place, else by its id; hosts leave out either. */
  const find = (event: JsonObject, id: string | undefined): Item | undefined => {
    const at = asNumber(event["output_index"]);
    return (
      (at === undefined ? undefined : items.find((item) => item.at === at)) ??
      (id === undefined ? undefined : items.find((item) => item.id === id))
    );
  };

  const finish = (response: JsonObject): void => {
    begin(response);
    objects(response["output"]).forEach((item, at) => {
      const id = asString(item["id"]);
      const known =
        (id === undefined ? undefined : items.find((one) => one.id === id)) ?? items.find((one) => one.at === at);
      (known ?? add(item, undefined)).reader.finish(item);
    });
    for (const item of items) item.reader.finish();
    over = true;
    out.push(
      compact<Extract<StreamEvent, { type: "response-end" }>>({
        type: "response-end",
        ...decodeEnding(response, seen),
        usage: decodeUsage(response["usage"]),
        extra: extraOf({ response: responseRest(response) }),
      }),
    );
  };

  const pass = (type: string, event: JsonObject): void => {
    const { sequence_number: _number, ...value } = event;
    out.push({ type: "opaque", wire: wireId, name: type, value });
  };

  const handle = (type: string, event: JsonObject): void => {
    const response = asObject(event["response"]) ?? {};
    if (type === "response.created" || type === "response.in_progress") begin(response);
    else if (terminal.has(type)) finish(response);
    else if (type === "response.failed") fail(failureOf(response["error"], target));
    else if (type === "error") fail(failureOf(isObject(event["error"]) ? event["error"] : event, target));
    else if (type === "response.output_item.added" || type === "response.output_item.done") {
      const item = asObject(event["item"]);
      if (item === undefined) return;
      const known = find(event, asString(item["id"]));
      const one = known ?? add(item, asNumber(event["output_index"]));
      if (type === "response.output_item.done") one.reader.finish(item);
    } else if (find(event, asString(event["item_id"]))?.reader.push(type, event) !== true) pass(type, event);
  };

  const read = ({ data, event: name }: SseEvent): void => {
    if (over || data === "[DONE]" || data === "") return;
    const event: Json | undefined = parseJson(data);
    if (!isObject(event)) {
      fail(
        new GatewayError("upstream_error", "The provider's stream holds what is not JSON.", {
          provider: target.provider,
        }),
      );
      return;
    }
    const type = asString(event["type"]) ?? name;
    // An error object without a type, under a 200, is a failure all the same (F27).
    if (type === undefined || type === "") {
      if ((event["error"] ?? null) !== null) fail(failureOf(event["error"], target));
      else pass("", event);
    } else handle(type, event);
  };

  const drain = (events: readonly SseEvent[]): StreamEvent[] => {
    out = [];
    for (const event of events) read(event);
    return out;
  };

  return {
    push: (chunk) => drain(splitter.push(chunk)),
    end: () => {
      const last = drain(splitter.end());
      if (!over)
        fail(
          new GatewayError("upstream_error", "The provider's stream ended before it was finished.", {
            provider: target.provider,
          }),
        );
      return last;
    },
  };
};
