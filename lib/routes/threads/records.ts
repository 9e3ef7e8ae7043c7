// What a thread leaves to take away: everything in it as NDJSON, and what it used.
import { asObject, type JsonObject, parseJson } from "../../model/json.ts";
import { invalid } from "../../model/error.ts";
import type { Reply } from "../../model/call.ts";
import { exportThread } from "../../threads/export.ts";
import type { StoredMessage } from "../../threads/message-items.ts";
import { decodeRun } from "../../threads/run-items.ts";
import { listUsage } from "../../threads/runs.ts";
import { getThread } from "../../threads/threads.ts";
import { json, type RouteContext } from "../route.ts";
import { type Access, accessOf, threadParam } from "./access.ts";
import {
  listObject,
  messageObject,
  pageOf,
  sumCost,
  sumUsage,
  threadObject,
  usageObject,
  usageRecordObject,
} from "./objects.ts";
import { runObject } from "./run-object.ts";

/** One line of the threads' own export as an object of this API. */
const lineObject = async (access: Access, thread: string, line: string): Promise<JsonObject | undefined> => {
  const value = asObject(parseJson(line));
  if (value === undefined) return undefined;
  const { type, ...rest } = value;
  switch (type) {
    case "message":
      return messageObject(rest as unknown as StoredMessage);
    case "run":
      return runObject(access, decodeRun({ pk: "", sk: "", version: 1, data: { ...rest, thread } }));
    case "usage":
      return usageRecordObject(rest as unknown as Parameters<typeof usageRecordObject>[0]);
    default:
      return undefined;
  }
};

async function* lines(access: Access, first: JsonObject, thread: string): AsyncGenerator<string> {
  yield `${JSON.stringify(first)}\n`;
  for await (const line of exportThread(access.store, access.caller, thread)) {
    const object = await lineObject(access, thread, line);
    if (object !== undefined) yield `${JSON.stringify(object)}\n`;
  }
}

export const exportRoute = async (context: RouteContext): Promise<Reply> => {
  const access = await accessOf(context);
  const { store, caller } = access;
  const thread = await getThread(store, caller, threadParam(context));
  return {
    status: 200,
    headers: { "content-type": "application/x-ndjson", "x-accel-buffering": "no" },
    body: lines(access, threadObject(thread, store.clock.now()), thread.id),
  };
};

export const usageRoute = async (context: RouteContext): Promise<Reply> => {
  const { store, caller } = await accessOf(context);
  const { limit, cursor } = pageOf(context);
  const records = await listUsage(store, caller, threadParam(context));
  const nameOf = ({ run, step }: { run: string; step: number }): string => `${run}:${step}`;
  const start = cursor === undefined ? 0 : records.findIndex((record) => nameOf(record) === cursor) + 1;
  if (cursor !== undefined && start === 0) throw invalid("cursor", "expected the next_cursor of another page");
  const page = records.slice(start, start + limit);
  const last = page.at(-1);
  const more = start + limit < records.length;
  return json(200, {
    ...listObject(page.map(usageRecordObject), more && last !== undefined ? nameOf(last) : undefined),
    total: {
      calls: records.length,
      usage: usageObject(sumUsage(records.map(({ usage }) => usage))),
      cost: sumCost(records) ?? null,
    },
  });
};
