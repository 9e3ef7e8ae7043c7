// Messages as this wire wants them: turns merged, every result directly behind its call and first in its turn, no empty text.
import { asString } from "../../model/json.ts";
import type { JsonObject } from "../../model/json.ts";
import type { ChatRequest } from "../../model/request.ts";
import type { Message } from "../../model/message.ts";
import { encodeBlock } from "./blocks-encode.ts";
import type { BlockWriter } from "./blocks-encode.ts";
import { nativeExtra } from "./common.ts";

type Turn = { role: string; content: JsonObject[]; extra: JsonObject | undefined };

/** An instruction in mid-conversation, for models that take none: a part of the user's turn, marked. */
const asUserText = (blocks: readonly JsonObject[]): JsonObject[] =>
  blocks.map((block) =>
    block["type"] === "text" ? { ...block, text: `<system>\n${asString(block["text"]) ?? ""}\n</system>` } : block,
  );

const isResult = (block: JsonObject): boolean => block["type"] === "tool_result";

/** `systemTurns`: whether the model takes instructions as turns of their own; it wants them behind a user's turn. */
export const encodeMessages = (request: ChatRequest, writer: BlockWriter, systemTurns: boolean): JsonObject[] => {
  const turns: Turn[] = [];
  let waiting: Turn[] = [];

  const add = (turn: Turn): void => {
    const last = turns.at(-1);
    if (last?.role !== turn.role) turns.push(turn);
    else {
      last.content.push(...turn.content);
      if (turn.extra !== undefined) last.extra = { ...last.extra, ...turn.extra };
    }
  };
  const release = (): void => {
    for (const turn of waiting) add(systemTurns ? turn : { ...turn, role: "user", content: asUserText(turn.content) });
    waiting = [];
  };

  request.messages.forEach((message, at) => {
    const turn = encodeTurn(message, writer, `messages[${at}]`);
    if (turn.content.length === 0) return;
    if (turn.role === "system") {
      waiting.push(turn);
      // Behind the assistant's turn it would part a call from its result: it waits for the user's.
      if (turns.at(-1)?.role !== "assistant" && turns.length > 0) release();
      return;
    }
    if (turn.role === "assistant") release();
    add(turn);
    if (turn.role === "user") release();
  });
  // With no user's turn behind which it could stand, the instruction becomes one.
  for (const turn of waiting) add({ ...turn, role: "user", content: asUserText(turn.content) });

  const last = turns.at(-1);
  if (last?.role === "assistant") trimEnd(last.content);
  return turns.map(({ role, content, extra }) => Object.assign({ role, content: resultsFirst(content) }, extra));
};

const encodeTurn = (message: Message, writer: BlockWriter, path: string): Turn => {
  const content: JsonObject[] = [];
  message.parts.forEach((part, at) => {
    const block = encodeBlock(part, message.role, writer, `${path}.content[${at}]`);
    if (block !== undefined) content.push(block);
  });
  return { role: message.role, content, extra: nativeExtra(message.extra) };
};

/** Stable: nothing moves where every result already stands before all else. */
const resultsFirst = (content: JsonObject[]): JsonObject[] => {
  const firstOther = content.findIndex((block) => !isResult(block));
  if (firstOther < 0 || !content.some((block, at) => at > firstOther && isResult(block))) return content;
  return [...content.filter(isResult), ...content.filter((block) => !isResult(block))];
};

/** The API refuses a last assistant text that ends in whitespace. */
const trimEnd = (content: JsonObject[]): void => {
  const last = content.at(-1);
  const text = last?.["type"] === "text" ? asString(last["text"]) : undefined;
  if (last !== undefined && text !== undefined && text !== text.trimEnd())
    content[content.length - 1] = { ...last, text: text.trimEnd() };
};

/** Whether a tool loop is open whose assistant turn has no thinking: models with budgets refuse to think in it. */
export const unthinkingLoop = (messages: readonly JsonObject[]): boolean => {
  const last = messages.at(-1);
  const before = messages.at(-2);
  if (last?.["role"] !== "user" || before?.["role"] !== "assistant") return false;
  const blocksOf = (message: JsonObject): JsonObject[] => message["content"] as JsonObject[];
  if (!blocksOf(last).some(isResult)) return false;
  const first = blocksOf(before)[0]?.["type"];
  return first !== "thinking" && first !== "redacted_thinking";
};
