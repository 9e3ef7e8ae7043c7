// What became of a stored response: read it, follow it, cancel it, list what it was asked, delete it.
import type { Reply } from "../../model/call.ts";
import { invalid } from "../../model/error.ts";
import { eventStreamHeaders } from "../../chat/answer.ts";
import { deleteMessage, loadPath } from "../../threads/messages.ts";
import { loadHead } from "../../threads/head.ts";
import { hasEnded, type Run } from "../../threads/run-items.ts";
import { cancelRun, forgetRun, getRun, listRuns } from "../../threads/runs.ts";
import { deleteThread, getThread } from "../../threads/threads.ts";
import type { Caller, ThreadStore } from "../../threads/store.ts";
import { encodeRun } from "../../turns/encode.ts";
import { clientWires } from "../../wires/index.ts";
import { json, type RouteContext } from "../route.ts";
import { threadsOf, turnCall } from "../turns.ts";
import { itemsOf } from "./items.ts";
import { encodedResponse, framesAfter, responseObject } from "./object.ts";
import { pageOf, pageQuery } from "./pages.ts";
import { loadResponse } from "./state.ts";

const idOf = (context: RouteContext): string => context.params[0] ?? "";

const startingAfter = (query: URLSearchParams): number => {
  const value = query.get("starting_after");
  if (value === null) return -1;
  const number = Number(value);
  if (value === "" || !Number.isInteger(number) || number < 0)
    throw invalid("starting_after", "expected a sequence number");
  return number;
};

async function* after(frames: AsyncIterable<string>, sequence: number): AsyncGenerator<string> {
  for await (const text of frames) {
    const kept = framesAfter(text, sequence);
    if (kept !== "") yield kept;
  }
}

/** GET /v1/responses/{id}, or its stream from any point on: `?stream=true&starting_after=`. */
export const retrieveResponse = async (context: RouteContext): Promise<Reply> => {
  const { store, turns } = await threadsOf(context);
  const { caller } = turnCall(context);
  const query = context.query();
  const stream = query.get("stream") ?? "false";
  if (stream !== "true" && stream !== "false") throw invalid("stream", "expected true or false");
  const sequence = startingAfter(query);
  if (sequence >= 0 && stream === "false") throw invalid("starting_after", "only goes with stream=true");
  const run = await loadResponse(store, caller, idOf(context));
  const spec = await turns.spec(caller.space, run);
  if (stream === "false") return json(200, await responseObject(store, caller, run, spec));
  const { signal } = context.invocation;
  const wire = clientWires["openai-responses"];
  return {
    status: 200,
    headers: eventStreamHeaders(wire.streamType),
    heartbeat: wire.heartbeat,
    body: after(encodeRun(store, caller, encodedResponse(run, spec), { signal }), sequence),
  };
};

/** How long a cancel waits for the run to have stopped. */
const stopMs = 5_000;

const stopped = async (store: ThreadStore, caller: Caller, run: Run, signal: AbortSignal): Promise<Run> => {
  const until = store.clock.now() + stopMs;
  let latest = run;
  for (let pause = 10; !hasEnded(latest.state) && store.clock.now() < until && !signal.aborted; pause *= 2) {
    await store.clock.sleep(Math.min(pause, 250), signal);
    latest = await getRun(store, caller, run.thread, run.id);
  }
  return latest;
};

export const cancelResponse = async (context: RouteContext): Promise<Reply> => {
  const { store, turns } = await threadsOf(context);
  const { caller } = turnCall(context);
  const run = await loadResponse(store, caller, idOf(context));
  const asked = await cancelRun(store, caller, run.thread, run.id);
  // Nobody else begins what waits behind a run that was waiting for its tools.
  if (hasEnded(asked.state)) context.invocation.waitUntil(turns.work(caller.space, run.thread).catch(() => undefined));
  const latest = await stopped(store, caller, asked, context.invocation.signal);
  return json(200, await responseObject(store, caller, latest, await turns.spec(caller.space, latest)));
};

/** Everything the response was given: the conversation up to and including its input. */
export const listInputItems = async (context: RouteContext): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const { caller } = turnCall(context);
  const page = pageQuery(context.query());
  const run = await loadResponse(store, caller, idOf(context));
  const head = await loadHead(store, caller, run.thread);
  const path = run.lastInput === undefined ? [] : await loadPath(store, head, run.lastInput);
  const items = await Promise.all(path.map((stored) => itemsOf(store, caller, stored)));
  return json(200, pageOf(items.flat(), page));
};

/** The response, its events and its words. What others continued from stays theirs; a thread of its own goes with it. */
export const deleteResponse = async (context: RouteContext): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const { caller } = turnCall(context);
  const id = idOf(context);
  const run = await loadResponse(store, caller, id);
  if (!hasEnded(run.state))
    await stopped(store, caller, await cancelRun(store, caller, run.thread, run.id), context.invocation.signal);
  const thread = await getThread(store, caller, run.thread);
  const { runs } = await listRuns(store, caller, run.thread, { limit: 2 });
  if (thread.settings["implicit"] === true && runs.length === 1) await deleteThread(store, caller, run.thread);
  else {
    if (run.output !== undefined) await deleteMessage(store, caller, run.thread, run.output);
    await forgetRun(store, caller, run.thread, run.id);
  }
  return json(200, { id, object: "response", deleted: true });
};
