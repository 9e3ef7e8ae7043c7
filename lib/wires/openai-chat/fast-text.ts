// The hot case of a stream: a frame that differs from one already read in its text alone. It is recognised without being parsed.
import { asObject, asString, isObject, type Json, type JsonObject } from "../../model/json.ts";
import { objects } from "./names.ts";

const mark = '"content":"';

/** Where the string that begins at `from` (behind its quote) ends; -1 where it does not. */
const closingQuote = (text: string, from: number): number => {
  let at = text.indexOf('"', from);
  const slash = text.indexOf("\\", from);
  if (slash < 0 || slash > at) return at;
  for (at = slash; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 92) at += 1;
    else if (code === 34) return at;
  }
  return -1;
};

const unquoted = (text: string, from: number, to: number): string => {
  const raw = text.slice(from, to);
  return raw.includes("\\") ? (JSON.parse(`"${raw}"`) as string) : raw;
};

/** Padding against traffic analysis, in the last field of a frame: OpenAI's and Mistral's name for it. */
const padding = /^(.*"(?:obfuscation|p)":")[^"\\]*"\}$/s;

export type FastText = {
  /** The text of a frame like the one learnt; undefined where it must be parsed. */
  read: (data: string) => string | undefined;
  /** Learns from a frame that was parsed. */
  learn: (data: string, chunk: JsonObject) => void;
};

/** Whether nothing in the frame matters but one text. */
const textOf = (chunk: JsonObject): string | undefined => {
  const choices = objects(chunk["choices"]);
  const choice = choices[0];
  if (choice === undefined || choices.length > 1 || isObject(chunk["usage"]) || isObject(chunk["x_groq"]))
    return undefined;
  if ((choice["index"] ?? 0) !== 0 || choice["finish_reason"] || isObject(choice["logprobs"])) return undefined;
  const delta = asObject(choice["delta"]);
  for (const name in delta) {
    const value: Json | undefined = delta[name];
    if (name !== "content" && name !== "role" && value !== null && value !== undefined) return undefined;
  }
  return asString(delta?.["content"]);
};

export const createFastText = (): FastText => {
  let head = "";
  let tail = "";
  let padded = false;
  return {
    read: (data) => {
      if (head === "" || !data.startsWith(head)) return undefined;
      const quote = closingQuote(data, head.length);
      if (quote < 0) return undefined;
      if (padded) {
        const from = quote + 1 + tail.length;
        if (!data.startsWith(tail, quote + 1) || data.indexOf('"', from) !== data.length - 2 || !data.endsWith('"}'))
          return undefined;
        if (data.indexOf("\\", from) >= 0) return undefined;
      } else if (data.length !== quote + 1 + tail.length || !data.endsWith(tail)) return undefined;
      return unquoted(data, head.length, quote);
    },
    learn: (data, chunk) => {
      const text = textOf(chunk);
      const at = data.indexOf(mark);
      if (text === undefined || text === "" || at < 0) return;
      const from = at + mark.length;
      const quote = closingQuote(data, from);
      // The first `content` must be the delta's own, and the only one.
      if (quote < 0 || unquoted(data, from, quote) !== text || data.includes(mark, quote)) return;
      const after = data.slice(quote + 1);
      const found = padding.exec(after)?.[1];
      head = data.slice(0, from);
      padded = found !== undefined;
      tail = found ?? after;
    },
  };
};
