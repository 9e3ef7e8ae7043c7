// A whole thread as NDJSON: one line for the thread, one for each message and run, read page by page.
import { compact, type JsonObject } from "../model/json.ts";
import { encodeRun } from "./run-items.ts";
import { decodeRun, decodeUsage } from "./run-items.ts";
import type { Thread } from "./head.ts";
import { runPrefix, threadPartition, usagePrefix } from "./keys.ts";
import { decodeMessage } from "./message-items.ts";
import { itemsFrom } from "./path.ts";
import { getThread } from "./threads.ts";
import type { Caller, ThreadStore } from "./store.ts";

const line = (type: string, value: object): string => `${JSON.stringify({ type, ...value })}\n`;

const threadLine = (head: Thread): string =>
  line(
    "thread",
    compact<JsonObject>({
      id: head.id,
      createdAt: head.createdAt,
      updatedAt: head.updatedAt,
      title: head.title,
      metadata: head.metadata,
      system: head.system,
      strategy: head.strategy,
      settings: head.settings,
      expiresAt: head.expiresAt,
      activeLeaf: head.leafId,
      messages: head.nextSeq,
    }),
  );

/** Messages come in the order of arrival, every branch among them, what was inherited first. */
export async function* exportThread(store: ThreadStore, caller: Caller, thread: string): AsyncGenerator<string> {
  const head = await getThread(store, caller, thread);
  yield threadLine(head);
  for await (const { item, thread: home } of itemsFrom(store, head, 0, false)) {
    const stored = await decodeMessage(store, head.space, home, item);
    if (stored.seq >= head.nextSeq) break;
    yield line("message", stored);
  }
  for (const [type, prefix] of [
    ["run", runPrefix],
    ["usage", usagePrefix],
  ] as const) {
    let cursor: string | undefined;
    do {
      const page = await store.table.query({
        pk: threadPartition(caller.space, thread),
        prefix,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const item of page.items)
        yield type === "run" ? line(type, encodeRun(caller.space, decodeRun(item))) : line(type, decodeUsage(item));
      cursor = page.next;
    } while (cursor !== undefined);
  }
}
