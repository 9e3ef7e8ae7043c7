// The chunks of a stream as text: what all of them say is written once, so that the hot case is a text between two constants.
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import { asObject, type Json, type JsonObject } from "../../model/json.ts";
import type { Usage } from "../../model/usage.ts";
import type { ReplyContext } from "../wire.ts";
import { completionId, isEmpty } from "./names.ts";
import { encodeUsage } from "./usage.ts";

/** Who the answer is, and the top-level fields it came with. */
type Opening = { id: string; model: string; createdAt?: number; fields?: Json };

export type Frames = {
  open: (opening: Opening) => void;
  /** Top-level fields that came later: those not yet told stand in the next chunk. */
  add: (fields: Json | undefined) => void;
  chunk: (choice: number, delta: JsonObject, more?: JsonObject) => void;
  /** The hot case: text of the first choice. */
  text: (text: string) => void;
  usage: (usage: Usage) => void;
  raw: (text: string) => void;
  /** What was written since the last time. */
  take: () => string;
};

/** Fields of the answer that stand in every chunk; the others are told once. */
const isRepeated = (value: Json | undefined): boolean => typeof value === "string";

export const createFrames = (context: ReplyContext): Frames => {
  // Where usage is told at the end, every chunk before says that it comes.
  const tail = context.request.includeUsage === true ? `],"usage":null}\n\n` : "]}\n\n";
  const textTail = `},"finish_reason":null}${tail}`;
  let out = "";
  let head = "";
  let textHead = "";
  let once: JsonObject = {};
  const told = new Set<string>();

  const open = ({ id, model, createdAt, fields }: Opening): void => {
    const base = {
      id: completionId(id, context.newId),
      object: "chat.completion.chunk",
      created: createdAt ?? Math.floor(context.now / 1000),
      model: model || context.request.model,
    } satisfies Partial<ChatCompletionChunk>;
    const repeated: JsonObject = {};
    const given = asObject(fields);
    for (const name in given) {
      (isRepeated(given[name]) ? repeated : once)[name] = given[name];
      told.add(name);
    }
    head = `data: ${JSON.stringify({ ...base, ...repeated }).slice(0, -1)},`;
    textHead = `${head}"choices":[{"index":0,"delta":{"content":`;
  };

  const chunk: Frames["chunk"] = (choice, delta, more = {}) => {
    if (head === "") open({ id: "", model: "" });
    const fields = isEmpty(once) ? "" : `${JSON.stringify(once).slice(1, -1)},`;
    once = {};
    const body = JSON.stringify({ index: choice, delta, finish_reason: null, ...more });
    out += `${head}${fields}"choices":[${body}${tail}`;
  };

  return {
    open,
    chunk,
    add: (fields) => {
      const given = asObject(fields);
      for (const name in given) if (!told.has(name)) once[name] = given[name];
    },
    text: (text) => {
      if (isEmpty(once) && textHead !== "") out += textHead + JSON.stringify(text) + textTail;
      else chunk(0, { content: text });
    },
    usage: (usage) => {
      out += `${head}"choices":[],"usage":${JSON.stringify(encodeUsage(usage))}}\n\n`;
    },
    raw: (text) => {
      out += text;
    },
    take: () => {
      const text = out;
      out = "";
      return text;
    },
  };
};
