// The tool calls of one streamed choice: hosts number them, or don't; repeat names and ids, or don't; mix their deltas, or send each whole.
import type { StreamEvent } from "../../model/event.ts";
import { asNumber, asObject, asString, parseJson, type JsonObject } from "../../model/json.ts";
import type { ToolCallPart } from "../../model/message.ts";
import { argumentsText, callRest } from "./calls.ts";
import { extraOf } from "./names.ts";
import { thoughtSignature, type Author } from "./reasoning.ts";

type Call = {
  /** The part's number; absent until its name is known. */
  part?: number;
  id: string;
  name: string;
  /** All that came so far. */
  arguments: string;
  /** Characters of the arguments that were passed on. */
  sent: number;
  custom: boolean;
  legacy: boolean;
  signed: boolean;
  ended: boolean;
};

export type Calls = {
  /** One entry of `tool_calls`. */
  read: (delta: JsonObject, out: StreamEvent[]) => void;
  /** A `function_call` of old. */
  readLegacy: (delta: JsonObject, out: StreamEvent[]) => void;
  /** Ends those calls whose arguments are whole, so that what follows need not wait for the end of the choice. */
  settle: (out: StreamEvent[]) => void;
  end: (out: StreamEvent[]) => void;
  /** Whether any call was made. */
  any: () => boolean;
  /** The part of a call that a signature of the message as a whole may belong to. */
  unsigned: () => number | undefined;
};

const isWhole = (text: string): boolean => text !== "" && parseJson(text) !== undefined;

export type CallsContext = {
  author: Author;
  choice: number;
  nextPart: () => number;
  callId: (at: number) => string;
};

export const createCalls = ({ author, choice, nextPart, callId }: CallsContext): Calls => {
  const calls: Call[] = [];
  const byIndex = new Map<number, Call>();

  const create = (index: number | undefined, custom: boolean): Call => {
    const call: Call = {
      id: "",
      name: "",
      arguments: "",
      sent: 0,
      custom,
      legacy: false,
      signed: false,
      ended: false,
    };
    calls.push(call);
    if (index !== undefined) byIndex.set(index, call);
    return call;
  };

  /** The call that a delta goes on with, or undefined where it begins a new one. */
  const continued = (delta: { index?: number; id: string; name: string; args: string }): Call | undefined => {
    const known = delta.index === undefined ? undefined : byIndex.get(delta.index);
    if (delta.index !== undefined) {
      if (known === undefined) return undefined;
      // Some hosts give every call the index 0: another id with a name, or a second whole object, is another call.
      if (delta.id !== "" && known.id !== "" && delta.id !== known.id) return delta.name === "" ? known : undefined;
      if (delta.id === "" && delta.name !== "" && isWhole(known.arguments) && isWhole(delta.args)) return undefined;
      return known;
    }
    if (delta.id !== "") return calls.find((call) => call.id === delta.id);
    const last = calls.at(-1);
    if (delta.name === "") return last;
    return last !== undefined && last.name === delta.name && !isWhole(last.arguments) ? last : undefined;
  };

  /** Passes on what came. `null` is how some models write that there are none: it waits until it is told from a longer text (F2). */
  const emit = (call: Call, index: number, out: StreamEvent[]): void => {
    if (!call.custom && "null".startsWith(call.arguments)) return;
    const text = call.arguments.slice(call.sent);
    call.sent = call.arguments.length;
    if (text !== "") out.push({ type: "part-delta", index, delta: { type: "arguments", text } });
  };

  const partOf = (call: Call, delta: JsonObject): ToolCallPart => {
    const part: ToolCallPart = {
      type: "tool-call",
      callId: call.id === "" ? callId(calls.indexOf(call)) : call.id,
      name: call.name,
      arguments: "",
    };
    if (call.custom) part.custom = true;
    const left = callRest(delta);
    if (call.legacy) part.extra = extraOf({ legacy: true });
    else if (Object.keys(left).length > 0) part.extra = extraOf({ call: left });
    return part;
  };

  const start = (call: Call, delta: JsonObject, out: StreamEvent[]): void => {
    const index = nextPart();
    call.part = index;
    const part = partOf(call, delta);
    out.push(choice === 0 ? { type: "part-start", index, part } : { type: "part-start", index, part, choice });
    emit(call, index, out);
  };

  const finish = (call: Call, out: StreamEvent[]): void => {
    if (call.part === undefined || call.ended) return;
    call.ended = true;
    // A call without arguments is a call with none, not with no JSON (F2).
    if (call.sent === 0 && !call.custom) {
      if (call.arguments === "" || call.arguments === "null") call.arguments = "{}";
      const text = call.arguments;
      out.push({ type: "part-delta", index: call.part, delta: { type: "arguments", text } });
    }
    out.push({ type: "part-end", index: call.part });
  };

  const settle = (out: StreamEvent[], except?: Call): void => {
    for (const call of calls) if (call !== except && !call.custom && isWhole(call.arguments)) finish(call, out);
  };

  const append = (call: Call, args: string, delta: JsonObject, out: StreamEvent[]): void => {
    if (call.ended) return;
    call.arguments += args;
    if (call.part === undefined) {
      if (call.name !== "") start(call, delta, out);
    } else emit(call, call.part, out);
    const opaque = thoughtSignature(delta, author);
    if (opaque === undefined || call.part === undefined || call.signed) return;
    call.signed = true;
    out.push({ type: "part-delta", index: call.part, delta: { type: "opaque", opaque } });
  };

  return {
    read: (delta, out) => {
      const free = asObject(delta["custom"]);
      const custom = free !== undefined && delta["function"] === undefined;
      const called = free !== undefined && custom ? free : (asObject(delta["function"]) ?? {});
      const id = asString(delta["id"]) ?? "";
      const name = asString(called["name"]) ?? "";
      const args = argumentsText(called[custom ? "input" : "arguments"]);
      const index = asNumber(delta["index"]);
      const known = continued(index === undefined ? { id, name, args } : { index, id, name, args });
      if (known === undefined) settle(out);
      const call = known ?? create(index, custom);
      if (call.id === "") call.id = id;
      if (call.name === "") call.name = name;
      append(call, args, delta, out);
    },
    readLegacy: (delta, out) => {
      const call = calls.at(-1) ?? create(undefined, false);
      call.legacy = true;
      if (call.name === "") call.name = asString(delta["name"]) ?? "";
      append(call, argumentsText(delta["arguments"]), {}, out);
    },
    settle: (out) => settle(out),
    end: (out) => {
      for (const call of calls) finish(call, out);
    },
    any: () => calls.some((call) => call.part !== undefined),
    unsigned: () => calls.find((call) => call.part !== undefined && !call.ended && !call.signed)?.part,
  };
};
