// Threads of this API: Heddle's own, marked in their metadata so that the list knows them.
import type { Reply } from "../../model/call.ts";
import { invalid } from "../../model/error.ts";
import { compact, type JsonObject } from "../../model/json.ts";
import { loadHead } from "../../threads/head.ts";
import { cancelRun } from "../../threads/runs.ts";
import { createThread, deleteThread, listThreads, type Thread } from "../../threads/threads.ts";
import { json, type RouteContext } from "../route.ts";
import { threadsOf, turnCall } from "../turns.ts";
import { objectField, readBody, textField, type ThreadSummary } from "./shapes.ts";
import { loadMessages } from "./view.ts";

const mark = { siili: "1" };
const defaultType = "chat";
const defaultTitle = "New Thread";

/** What fits beside the mark and can be listed by; all that was given is kept in the settings. */
const short = (value: string | undefined, param: string): string | undefined => {
  if (value !== undefined && value.length > 512) throw invalid(param, "expected at most 512 characters");
  return value === "" ? undefined : value;
};

export const create = async (context: RouteContext): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const body = readBody(context);
  const jobId = short(textField(body, "job_id"), "job_id");
  const given = objectField(body, "metadata") ?? {};
  const type = short(textField(given, "thread_type", "metadata.thread_type"), "metadata.thread_type") ?? defaultType;
  const title = short(textField(given, "title", "metadata.title")?.trim(), "metadata.title");
  const { thread } = await createThread(
    store,
    turnCall(context).caller,
    compact({
      metadata: compact<Record<string, string>>({ ...mark, thread_type: type, job_id: jobId }),
      title: title?.slice(0, 500),
      settings: Object.keys(given).length === 0 ? undefined : ({ siili: { metadata: given } } satisfies JsonObject),
    }),
  );
  return json(200, { id: thread.id, messages: [] });
};

export const get = async (context: RouteContext, thread: string): Promise<Reply> => {
  const { store } = await threadsOf(context);
  return json(200, { id: thread, messages: await loadMessages(store, turnCall(context).caller, thread) });
};

export const remove = async (context: RouteContext, thread: string): Promise<Reply> => {
  const { store } = await threadsOf(context);
  await deleteThread(store, turnCall(context).caller, thread);
  return json(200, { message: "Thread deleted successfully" });
};

/** What is being answered; a message that waits for its turn was promised one. */
export const cancel = async (context: RouteContext, thread: string): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const { caller } = turnCall(context);
  const head = await loadHead(store, caller, thread);
  const run = head.run ?? head.parked;
  if (run === undefined) return json(200, { success: false, message: "Nothing is being generated" });
  await cancelRun(store, caller, thread, run);
  return json(200, { success: true, message: "Cancellation signal sent" });
};

const summaryOf = (thread: Thread): ThreadSummary => ({
  thread_id: thread.id,
  title: thread.title ?? defaultTitle,
  message_count: thread.nextSeq,
  last_activity_time: thread.updatedAt,
  created_at: thread.createdAt,
  author_id: thread.owner,
  type: thread.metadata["thread_type"] ?? defaultType,
});

/** The API knows no pages: the newest are listed, and among them those that are asked for. */
const mostListed = 1_000;

const numberOf = (query: URLSearchParams, name: string): number | undefined => {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^\d{1,9}(?:\.\d{1,9})?$/.test(text)) throw invalid(name, "expected a number");
  return Number(text);
};

export const list = async (context: RouteContext): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const query = context.query();
  const type = query.get("thread_type") ?? "";
  const words = (query.get("title_contains") ?? "").toLowerCase();
  const least = numberOf(query, "min_messages") ?? 0;
  const most = numberOf(query, "max_messages") ?? Number.POSITIVE_INFINITY;
  const hours = numberOf(query, "hours_ago");
  const since = hours === undefined ? 0 : store.clock.now() - hours * 3_600_000;

  const all: Thread[] = [];
  let cursor: string | undefined;
  do {
    const page = await listThreads(store, turnCall(context).caller, {
      // The first of the pairs chooses the list that is read: the shorter one.
      metadata: type === "" ? mark : { thread_type: type, ...mark },
      limit: 100,
      ...(cursor === undefined ? {} : { cursor }),
    });
    all.push(...page.threads);
    cursor = page.next;
  } while (cursor !== undefined && all.length < mostListed);

  const threads = all
    .map(summaryOf)
    .filter(
      ({ title, message_count: count, last_activity_time: last }) =>
        title.toLowerCase().includes(words) && count >= least && count <= most && last >= since,
    )
    .sort((a, b) => b.last_activity_time - a.last_activity_time);
  return json(200, { threads, total_count: threads.length });
};
