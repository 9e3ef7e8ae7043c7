// A provider's stream to events. Whatever is no stream of this wire, or stops before its end, ends in an error (F26, F27).
import { GatewayError } from "../../model/error.ts";
import type { StreamEvent } from "../../model/event.ts";
import { asNumber, asObject, asString, isObject, parseJson } from "../../model/json.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Part } from "../../model/message.ts";
import { createSseSplitter } from "../../http/sse.ts";
import { unfold } from "../shared/fold.ts";
import type { EventDecoder, Target } from "../wire.ts";
import { decodeBlock, inputText } from "./blocks-decode.ts";
import { decodeCitation } from "./citations.ts";
import { wire, withoutNulls } from "./common.ts";
import { errorFromBody } from "./errors.ts";
import { decodeEnding, decodeResponse, messageExtra } from "./response.ts";
import { decodeUsage, mergeUsage } from "./usage.ts";

type Open = {
  index: number;
  part: Part;
  block: JsonObject;
  /** The gathered JSON of a call's input. */
  json: string;
  /** Fields that deltas of unknown kinds bring to the block (compaction). */
  fields?: JsonObject;
  signature?: string;
};

const deltaFields = new Set(["stop_reason", "stop_sequence"]);
const eventFields = new Set(["type", "delta", "usage"]);

const without = (value: JsonObject, fields: ReadonlySet<string>): JsonObject | undefined =>
  withoutNulls(Object.fromEntries(Object.entries(value).filter(([name]) => !fields.has(name))));

/** The part as it stands at its block's start: what its deltas bring is not yet in it. */
const startOf = (part: Part): Part => {
  if (part.type === "tool-call") return { ...part, arguments: "" };
  return part;
};

export const createReader = (target: Target): EventDecoder => {
  const sse = createSseSplitter();
  const reader = { client: false, maker: target.maker } as const;
  const open = new Map<number, Open>();
  let parts = 0;
  let calls = false;
  let started = false;
  let usage: JsonObject | undefined;
  let ending: JsonObject | undefined;
  let extra: JsonObject | undefined;
  let done = false;
  /** Set while the body may be plain JSON: what came so far. */
  let plain: Uint8Array[] | undefined;
  let sniffed = false;

  const fail = (out: StreamEvent[], error: GatewayError): void => {
    done = true;
    out.push({ type: "error", error });
  };
  const broken = (message: string): GatewayError =>
    new GatewayError("upstream_error", message, { provider: target.provider });

  const stopBlock = (native: number, out: StreamEvent[]): void => {
    const entry = open.get(native);
    if (entry === undefined) return;
    open.delete(native);
    const { index, part } = entry;
    if (part.type === "tool-call" && entry.json.trim() === "")
      out.push({ type: "part-delta", index, delta: { type: "arguments", text: inputText(entry.block["input"]) } });
    if (part.type === "opaque" && (entry.json !== "" || entry.fields !== undefined)) {
      const value: JsonObject = { ...entry.block, ...entry.fields };
      if (entry.json !== "") value["input"] = parseJson(entry.json) ?? entry.json;
      out.push({ type: "part-end", index, final: { value } });
    } else out.push({ type: "part-end", index });
  };

  const startBlock = (native: number, block: JsonObject, out: StreamEvent[]): Open => {
    stopBlock(native, out);
    const part = decodeBlock(block, reader, "content");
    const index = parts;
    parts += 1;
    if (part.type === "tool-call") calls = true;
    const entry: Open = { index, part, block, json: "" };
    open.set(native, entry);
    out.push({ type: "part-start", index, part: startOf(part) });
    return entry;
  };

  const delta = (native: number, value: JsonObject, out: StreamEvent[]): void => {
    const type = value["type"];
    let entry = open.get(native);
    if (entry === undefined) {
      // Some hosts leave the start out.
      if (type !== "text_delta" && type !== "thinking_delta") return;
      const block: JsonObject = type === "text_delta" ? { type: "text", text: "" } : { type: "thinking", thinking: "" };
      entry = startBlock(native, block, out);
    }
    const { index, part } = entry;
    if (part.type === "opaque") {
      if (type === "input_json_delta") {
        const text = asString(value["partial_json"]) ?? "";
        if (text === "") return;
        entry.json += text;
      } else {
        const { type: _type, ...fields } = value;
        entry.fields = { ...entry.fields, ...fields };
      }
      out.push({ type: "part-delta", index, delta: { type: "native", wire, value } });
      return;
    }
    switch (type) {
      case "text_delta":
        out.push({ type: "part-delta", index, delta: { type: "text", text: asString(value["text"]) ?? "" } });
        return;
      case "thinking_delta": {
        const text = asString(value["thinking"]) ?? "";
        if (text !== "") out.push({ type: "part-delta", index, delta: { type: "text", text } });
        else out.push({ type: "part-delta", index, delta: { type: "native", wire, value } });
        return;
      }
      case "input_json_delta": {
        const text = asString(value["partial_json"]) ?? "";
        entry.json += text;
        if (text !== "") out.push({ type: "part-delta", index, delta: { type: "arguments", text } });
        return;
      }
      case "signature_delta": {
        const data = asString(value["signature"]) ?? "";
        if (data !== "")
          out.push({ type: "part-delta", index, delta: { type: "opaque", opaque: { origin: target.maker, data } } });
        return;
      }
      case "citations_delta": {
        const citation = asObject(value["citation"]);
        if (citation !== undefined)
          out.push({ type: "part-delta", index, delta: { type: "citation", citation: decodeCitation(citation) } });
        return;
      }
      default:
        out.push({ type: "part-delta", index, delta: { type: "native", wire, value } });
    }
  };

  const start = (message: JsonObject, out: StreamEvent[]): void => {
    if (parts > 0) {
      fail(out, broken("The provider began a second answer in the middle of its first."));
      return;
    }
    // Told twice before anything was said, it still is one answer.
    if (started) return;
    started = true;
    const event: StreamEvent = {
      type: "response-start",
      id: asString(message["id"]) ?? "",
      model: asString(message["model"]) ?? target.model,
    };
    const told = asObject(message["usage"]);
    if (told !== undefined) {
      usage = mergeUsage(usage, told);
      event.usage = decodeUsage(usage);
    }
    const rest = messageExtra(message);
    if (rest !== undefined) event.extra = { [wire]: rest };
    out.push(event);
  };

  const messageDelta = (value: JsonObject, out: StreamEvent[]): void => {
    for (const native of open.keys()) stopBlock(native, out);
    const inner = asObject(value["delta"]) ?? {};
    ending = { ...ending, ...withoutNulls(inner) };
    const rest = { ...extra, ...without(inner, deltaFields), ...without(value, eventFields) };
    if (Object.keys(rest).length > 0) extra = rest;
    const told = asObject(value["usage"]);
    if (told !== undefined) {
      usage = mergeUsage(usage, told);
      out.push({ type: "usage", usage: decodeUsage(usage) });
    }
  };

  const stop = (out: StreamEvent[]): void => {
    for (const native of open.keys()) stopBlock(native, out);
    done = true;
    const { extra: reasonExtra, ...rest } = decodeEnding(ending ?? {}, calls);
    const event: StreamEvent = { type: "response-end", ...rest };
    if (usage !== undefined) event.usage = decodeUsage(usage);
    const whole = { ...extra, ...reasonExtra?.[wire] };
    if (Object.keys(whole).length > 0) event.extra = { [wire]: whole };
    out.push(event);
  };

  const read = (data: string, out: StreamEvent[]): void => {
    if (done || data === "" || data === "[DONE]") return;
    const value = parseJson(data);
    if (!isObject(value)) {
      fail(out, broken("The provider sent an event that is not JSON."));
      return;
    }
    switch (value["type"]) {
      case "content_block_delta":
        delta(asNumber(value["index"]) ?? 0, asObject(value["delta"]) ?? {}, out);
        return;
      case "content_block_start":
        startBlock(asNumber(value["index"]) ?? parts, asObject(value["content_block"]) ?? {}, out);
        return;
      case "content_block_stop":
        stopBlock(asNumber(value["index"]) ?? 0, out);
        return;
      case "message_start":
        start(asObject(value["message"]) ?? {}, out);
        return;
      case "message_delta":
        messageDelta(value, out);
        return;
      case "message_stop":
        stop(out);
        return;
      case "ping":
        return;
      case "error":
        fail(out, errorFromBody(undefined, {}, value, target));
        return;
      default:
        if (value["error"] !== undefined && value["error"] !== null) {
          fail(out, errorFromBody(undefined, {}, value, target));
          return;
        }
        out.push({ type: "opaque", wire, name: asString(value["type"]) ?? "", value });
    }
  };

  /** A whole body in place of a stream: an error under a 200, or an answer by a host that does not stream. */
  const readPlain = (chunks: readonly Uint8Array[], out: StreamEvent[]): void => {
    const value = parseJson(Buffer.concat(chunks).toString("utf8"));
    try {
      out.push(...unfold(decodeResponse(value ?? null, target)));
      done = true;
    } catch (error) {
      fail(out, error instanceof GatewayError ? error : broken("The provider's answer could not be read."));
    }
  };

  return {
    push: (chunk) => {
      const out: StreamEvent[] = [];
      if (done) return out;
      if (!sniffed) {
        const at = chunk.findIndex((byte) => byte > 32);
        if (at < 0) return out;
        sniffed = true;
        // No line of a stream begins with "{".
        if (chunk[at] === 123) plain = [];
      }
      if (plain !== undefined) {
        plain.push(chunk);
        return out;
      }
      for (const event of sse.push(chunk)) read(event.data, out);
      return out;
    },
    end: () => {
      const out: StreamEvent[] = [];
      if (done) return out;
      if (plain !== undefined) readPlain(plain, out);
      else for (const event of sse.end()) read(event.data, out);
      if (!done) {
        const message = started
          ? "The provider's stream broke off before its end."
          : "The provider's answer is not a stream of events.";
        fail(out, broken(message));
      }
      return out;
    },
  };
};
