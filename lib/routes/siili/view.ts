// A thread's stored messages as this API shows them: results of tools beside their calls, what failed as a block of its own.
import { outwards } from "../../chat.ts";
import {
  asArray,
  asNumber,
  asObject,
  asString,
  compact,
  isObject,
  type JsonObject,
  parseJson,
} from "../../model/json.ts";
import type { Part, ToolCallPart, ToolResultPart } from "../../model/message.ts";
import { loadHead } from "../../threads/head.ts";
import type { StoredMessage } from "../../threads/message-items.ts";
import { loadPath } from "../../threads/messages.ts";
import { hasEnded, type Run } from "../../threads/run-items.ts";
import { listRuns } from "../../threads/runs.ts";
import type { Caller, ThreadStore } from "../../threads/store.ts";
import type { Attachment, Block, Message } from "./shapes.ts";

/**
 * An answer's id is known before the answer is stored: a run's answer stands right after what it was asked. `seq` is its place in the
 * thread.
 */
export const answerId = (seq: number, run: string): string => `answer_${seq.toString(36)}_${run}`;

export const runOfAnswerId = (id: string): { seq: number; run: string } | undefined => {
  const [, seq, run] = /^answer_([0-9a-z]{1,8})_(.+)$/.exec(id) ?? [];
  return seq === undefined || run === undefined ? undefined : { seq: Number.parseInt(seq, 36), run };
};

export const blockId = (message: string, at: number): string => `${message}_${at}`;
export const errorBlockId = (message: string): string => `${message}_error`;

/** In a run's metadata: its failure, which no stored message holds, was deleted. */
export const hiddenMark = "siili_hidden";

/** What this API keeps with a user's message. */
export const userMetadata = (timestamp: number, attachments: readonly Attachment[]): JsonObject => ({
  siili: { timestamp, ...(attachments.length === 0 ? {} : { attachments: attachments.map((each) => ({ ...each })) }) },
});

const attachmentsOf = (kept: JsonObject | undefined): Attachment[] =>
  (asArray(kept?.["attachments"]) ?? []).flatMap((each): Attachment[] => {
    const id = asString(asObject(each)?.["file_id"]);
    const type = asString(asObject(each)?.["mime_type"]);
    const filename = asString(asObject(each)?.["filename"]);
    return id === undefined || type === undefined
      ? []
      : [compact<Attachment>({ file_id: id, mime_type: type, filename })];
  });

/** Free text of a custom tool, and arguments that were cut off, stand as they are under `input`. */
const argumentsOf = ({ arguments: text, custom }: ToolCallPart): JsonObject => {
  const parsed = custom === true ? undefined : parseJson(text === "" ? "{}" : text);
  return isObject(parsed) ? parsed : { input: text };
};

export const toolBlock = (id: string, part: ToolCallPart, streaming: boolean): Block => ({
  id,
  streaming,
  type: "tool_use",
  tool_call_id: part.callId,
  tool_name: part.name,
  tool_call_args: argumentsOf(part),
});

/** The text of a tool's result; what is none is named by its kind. */
export const resultText = ({ parts }: ToolResultPart): string =>
  parts.map((part) => ("text" in part && part.text !== undefined ? part.text : `[${part.type}]`)).join("\n");

const blocksOf = (message: string, parts: readonly Part[]): Block[] => {
  const blocks: Block[] = [];
  for (const part of parts) {
    const id = blockId(message, blocks.length);
    if (part.type === "tool-call") blocks.push(toolBlock(id, part, false));
    else if ((part.type === "text" || part.type === "refusal") && part.text !== "")
      blocks.push({ id, streaming: false, type: "plain", content: part.text });
    else if (part.type === "reasoning" && part.text !== "")
      blocks.push({ id, streaming: false, type: "reasoning", content: part.text });
  }
  return blocks;
};

export const userMessage = (
  stored: Pick<StoredMessage, "id" | "clientId" | "createdAt" | "message" | "metadata">,
  owner: string,
): Message => {
  const id = stored.clientId ?? stored.id;
  const kept = asObject(stored.metadata?.["siili"]);
  const attachments = attachmentsOf(kept);
  return compact<Message>({
    id,
    ai: false,
    author_id: owner,
    author_name: owner,
    timestamp: asNumber(kept?.["timestamp"]) ?? stored.createdAt,
    blocks: blocksOf(id, stored.message.parts),
    attachments: attachments.length === 0 ? undefined : attachments,
  });
};

/** The name that the run was asked under. */
const modelOf = (run: Run): string | undefined =>
  asString(run.metadata["model"]) ?? asString(asObject(run.request["request"])?.["model"]);

export const emptyAnswer = (id: string, author: string, timestamp: number): Message => ({
  id,
  ai: true,
  author_id: author,
  author_name: author,
  timestamp,
  blocks: [],
});

const errorBlocks = (message: string, run: Run | undefined): Block[] =>
  run?.error === undefined || (run.state !== "failed" && run.state !== "expired")
    ? []
    : [{ id: errorBlockId(message), streaming: false, type: "error", content: outwards(run.error).message }];

const answer = (stored: StoredMessage, run: Run | undefined): Message => {
  const id = stored.run === undefined ? stored.id : answerId(stored.seq, stored.run);
  const author = (run === undefined ? undefined : modelOf(run)) ?? stored.maker ?? "assistant";
  return {
    ...emptyAnswer(id, author, run?.createdAt ?? stored.createdAt),
    // A run of several steps has its error in the last of them.
    blocks: [...blocksOf(id, stored.message.parts), ...(run?.output === stored.id ? errorBlocks(id, run) : [])],
  };
};

/** The answer of a run that has ended without one, where this message began it. */
const unsaid = (asked: StoredMessage, run: Run | undefined): Message[] => {
  if (run === undefined || !hasEnded(run.state) || run.output !== undefined) return [];
  if (run.lastInput !== asked.seq || run.metadata[hiddenMark] === true) return [];
  const id = answerId(asked.seq + 1, run.id);
  return [{ ...emptyAnswer(id, modelOf(run) ?? "assistant", run.createdAt), blocks: errorBlocks(id, run) }];
};

const addResult = (messages: readonly Message[], result: ToolResultPart): void => {
  const block = messages
    .findLast(({ blocks }) => blocks.some((each) => each.tool_call_id === result.callId))
    ?.blocks.find((each) => each.tool_call_id === result.callId);
  if (block === undefined) return;
  block.tool_call_response = resultText(result);
  if (result.isError === true) block.tool_call_error = block.tool_call_response;
};

/** The path of a thread, oldest first, as messages of this API. */
const viewOf = (path: readonly StoredMessage[], runs: ReadonlyMap<string, Run>, owner: string): Message[] => {
  const messages: Message[] = [];
  for (const stored of path) {
    const { role, parts } = stored.message;
    const run = stored.run === undefined ? undefined : runs.get(stored.run);
    if (role === "assistant") {
      if (stored.deleted !== true) messages.push(answer(stored, run));
      continue;
    }
    if (role !== "user") continue;
    for (const part of parts) if (part.type === "tool-result") addResult(messages, part);
    const onlyResults = parts.length > 0 && parts.every((part) => part.type === "tool-result");
    if (stored.deleted !== true && !onlyResults) messages.push(userMessage(stored, owner));
    messages.push(...unsaid(stored, run));
  }
  return messages;
};

const loadRuns = async (store: ThreadStore, caller: Caller, thread: string): Promise<Map<string, Run>> => {
  const runs = new Map<string, Run>();
  let after: string | undefined;
  for (;;) {
    const page = await listRuns(store, caller, thread, { limit: 100, ...(after === undefined ? {} : { after }) });
    for (const run of page.runs) runs.set(run.id, run);
    after = page.runs.at(-1)?.id;
    if (!page.hasMore || after === undefined) return runs;
  }
};

/** The messages of the thread's active branch, oldest first. */
export const loadMessages = async (store: ThreadStore, caller: Caller, thread: string): Promise<Message[]> => {
  const head = await loadHead(store, caller, thread);
  // The runs last: an answer that is stored in between is not taken for a missing one.
  const path = await loadPath(store, head);
  return viewOf(path, await loadRuns(store, caller, thread), caller.owner);
};
