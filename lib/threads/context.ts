// What a request carries of its thread: instructions first, a summary of what is long past, then the messages themselves.
import { asNumber, asString } from "../model/json.ts";
import type { Message, TextPart } from "../model/message.ts";
import { summaryKey, summaryPrefix, threadPartition } from "./keys.ts";
import type { Thread } from "./head.ts";
import { providerHistory } from "./history.ts";
import { decodeMessage, type Parent, parentOf, type StoredMessage } from "./message-items.ts";
import { type OnPath, pathFrom } from "./path.ts";
import { withProfile } from "./profile.ts";
import type { ThreadStore } from "./store.ts";
import { cutAt, historyBudget, isWithin, keepTail } from "./window.ts";

/** Stands for the path up to a message; the messages themselves stay. */
type Summary = { upTo: number; upToId: string; text: string; tokens: number; pathTokens: number };

export type ContextOptions = {
  /** Whose model is asked. */
  maker: string;
  /** The model's window and the answer's share of it, in its own tokens; without a window nothing is cut. */
  window?: number;
  output?: number;
  /** Estimated tokens of the request's tools and own instructions. */
  fixed?: number;
  /** The last message of the path; the active leaf, if none is named. */
  leaf?: Parent;
};

export type Context = {
  system: TextPart[];
  messages: Message[];
  /** Estimated tokens of system and messages. */
  tokens: number;
  /** Messages of the path that are not in it. */
  cut: boolean;
};

const summaryIntro = "Summary of the earlier conversation:\n";

/** The newest summaries first; few are ever needed, as the newest one on the path is it. */
const findSummaries = async (store: ThreadStore, head: Thread): Promise<Map<string, Summary>> => {
  const page = await store.table.query({
    pk: threadPartition(head.space, head.id),
    prefix: summaryPrefix,
    descending: true,
    limit: 8,
  });
  return new Map(
    page.items.map(({ data }): [string, Summary] => {
      const upToId = asString(data["upToId"]) ?? "";
      return [
        upToId,
        {
          upTo: asNumber(data["upTo"]) ?? 0,
          upToId,
          text: asString(data["text"]) ?? "",
          tokens: asNumber(data["tokens"]) ?? 0,
          pathTokens: asNumber(data["pathTokens"]) ?? 0,
        },
      ];
    }),
  );
};

type Tail = { messages: StoredMessage[]; summary: Summary | undefined; cut: boolean };

/** Reads from the leaf upwards until a summary stands for the rest, or the budget is spent. */
const loadTail = async (store: ThreadStore, head: Thread, options: ContextOptions, fixed: number): Promise<Tail> => {
  const leaf = options.leaf ?? { seq: head.leaf, pathTokens: head.tokens };
  const summaries = head.strategy === "summarize" ? await findSummaries(store, head) : new Map<string, Summary>();
  const budget =
    head.strategy === "none" || options.window === undefined
      ? Number.POSITIVE_INFINITY
      : historyBudget({ window: options.window, output: options.output ?? 0, fixed, ratio: head.ratio });
  const oldest = Math.min(...[...summaries.values()].map(({ upTo }) => upTo));
  const cut = cutAt(leaf.pathTokens, budget);
  const newestFirst: OnPath[] = [];
  let summary: Summary | undefined;
  let hasTurn = false;
  for await (const found of pathFrom(store, head, leaf.seq)) {
    // Older than all of them: this path is a branch that none of them stands for.
    if (found.facts.seq < oldest) summaries.clear();
    summary = summaries.get(found.facts.id);
    if (summary !== undefined) break;
    newestFirst.push(found);
    hasTurn ||= found.facts.opens === true;
    if (summaries.size === 0 && hasTurn && !isWithin(found, cut)) break;
  }
  const path = newestFirst.toReversed();
  const from =
    summary === undefined
      ? cut
      : summary.pathTokens + cutAt(leaf.pathTokens - summary.pathTokens + summary.tokens, budget);
  const kept = keepTail(path, from);
  const messages: StoredMessage[] = [];
  for (const { item, thread } of kept) messages.push(await decodeMessage(store, head.space, thread, item));
  return { messages, summary, cut: summary !== undefined || kept.length < path.length };
};

export const loadContext = async (store: ThreadStore, head: Thread, options: ContextOptions): Promise<Context> => {
  const { system: instructions } = await withProfile(store, head);
  const system: TextPart[] = instructions === undefined ? [] : [{ type: "text", text: instructions }];
  const fixed = (options.fixed ?? 0) + store.tokensOf(system);
  const tail = await loadTail(store, head, options, fixed);
  if (tail.summary !== undefined) system.push({ type: "text", text: summaryIntro + tail.summary.text });
  const messages = providerHistory(tail.messages, options.maker);
  // Instructions that open the thread are instructions of the request.
  while (messages[0]?.role === "system") {
    const opening = messages.shift();
    for (const part of opening?.parts ?? []) if (part.type === "text") system.push(part);
  }
  return {
    system,
    messages,
    tokens: store.tokensOf(system) + messages.reduce((sum, message) => sum + store.tokensOf(message.parts), 0),
    cut: tail.cut,
  };
};

export type SummaryPlan = {
  /** What was summarised before, to be carried into the new one. */
  previous?: string;
  /** What the new summary has to say, oldest first. */
  messages: StoredMessage[];
  upTo: Parent & { id: string };
};

/**
 * After a turn: whether the thread is so long that a summary should stand for its older part, and for which. A third of the budget
 * stays verbatim, and the cut is between turns. Undefined where there is nothing to do, which costs no look at the messages.
 */
export const planSummary = async (
  store: ThreadStore,
  head: Thread,
  options: Pick<ContextOptions, "window" | "output" | "fixed">,
): Promise<SummaryPlan | undefined> => {
  if (head.strategy !== "summarize" || options.window === undefined) return undefined;
  const budget = historyBudget({
    window: options.window,
    output: options.output ?? 0,
    fixed: options.fixed ?? 0,
    ratio: head.ratio,
  });
  if (head.tokens <= budget * 0.75) return undefined;
  const summaries = await findSummaries(store, head);
  const newest: StoredMessage[] = [];
  let previous: Summary | undefined;
  for await (const { item, thread, facts } of pathFrom(store, head, head.leaf)) {
    previous = summaries.get(facts.id);
    if (previous !== undefined) break;
    newest.push(await decodeMessage(store, head.space, thread, item));
  }
  const open = head.tokens - (previous?.pathTokens ?? 0) + (previous?.tokens ?? 0);
  if (open <= budget * 0.75) return undefined;
  const messages = newest.toReversed();
  const keepFrom = head.tokens - budget / 3;
  const turns = messages.flatMap((each, at) => (at > 0 && each.opens === true ? [at] : []));
  const end = turns.find((at) => (messages[at]?.pathTokens ?? 0) >= keepFrom) ?? turns.at(-1);
  const last = end === undefined ? undefined : messages[end - 1];
  if (end === undefined || last === undefined) return undefined;
  return {
    ...(previous === undefined ? {} : { previous: previous.text }),
    messages: messages.slice(0, end),
    upTo: { ...parentOf(last), id: last.id },
  };
};

/** Lays a summary over the path up to `upTo`. What it stands for is neither changed nor deleted. */
export const storeSummary = async (
  store: ThreadStore,
  head: Thread,
  plan: SummaryPlan,
  text: string,
): Promise<void> => {
  const { seq, id, pathTokens } = plan.upTo;
  await store.table.put({
    pk: threadPartition(head.space, head.id),
    sk: summaryKey(seq),
    data: {
      upTo: seq,
      upToId: id,
      text,
      tokens: store.tokensOf([{ type: "text", text: summaryIntro + text }]),
      pathTokens,
    },
  });
};
