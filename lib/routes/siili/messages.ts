// The messages of a thread: read them, send one and have it answered, in the background or as a stream.
import { eventStreamHeaders } from "../../chat/answer.ts";
import type { Reply } from "../../model/call.ts";
import { parseBody } from "../../chat/read.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import type { JsonObject } from "../../model/json.ts";
import type { ChatRequest } from "../../model/request.ts";
import { findRun } from "../../threads/closing.ts";
import { loadHead, type Thread } from "../../threads/head.ts";
import type { NewMessage } from "../../threads/message-items.ts";
import { deleteMessage } from "../../threads/messages.ts";
import { findItem } from "../../threads/path.ts";
import { messageFacts } from "../../threads/message-items.ts";
import { hasEnded, runAt } from "../../threads/run-items.ts";
import type { Caller, ThreadStore } from "../../threads/store.ts";
import { patchThread } from "../../threads/threads.ts";
import type { Turn } from "../../turns/types.ts";
import { clientWires } from "../../wires/index.ts";
import { checkModel, json, type RouteContext } from "../route.ts";
import { specOf, threadsOf, turnCall } from "../turns.ts";
import { loadAttachments } from "./attachments.ts";
import { type Message, textField } from "./shapes.ts";
import { heartbeat, streamRun } from "./stream.ts";
import { hiddenMark, loadMessages, runOfAnswerId, userMessage, userMetadata } from "./view.ts";

const messageNotFound = (): GatewayError => new GatewayError("not_found", "No such message.", { param: "message_id" });

export const list = async (context: RouteContext, thread: string): Promise<Reply> => {
  const { store } = await threadsOf(context);
  return json(200, await loadMessages(store, turnCall(context).caller, thread));
};

export const get = async (context: RouteContext, thread: string, id: string): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const message = (await loadMessages(store, turnCall(context).caller, thread)).find((each) => each.id === id);
  if (message === undefined) throw messageNotFound();
  return json(200, message);
};

/** Deletes an answer: a stored one as any message, one that is only a run's failure by a mark on the run. */
const removeAnswer = async (
  store: ThreadStore,
  caller: Caller,
  thread: string,
  answer: { seq: number; run: string },
): Promise<void> => {
  const head = await loadHead(store, caller, thread);
  const found = await findItem(store, head, answer.seq);
  const facts = found === undefined ? undefined : messageFacts(found.item);
  if (facts?.run === answer.run && facts.role === "assistant") {
    await deleteMessage(store, caller, thread, facts.id);
    return;
  }
  const run = await findRun(store, caller.space, thread, answer.run);
  const isShown = run !== undefined && hasEnded(run.state) && run.output === undefined;
  if (!isShown || run.lastInput !== answer.seq - 1 || run.metadata[hiddenMark] === true) throw messageNotFound();
  await store.table.update(
    runAt(caller.space, thread, run.id),
    { set: { metadata: { ...run.metadata, [hiddenMark]: true } } },
    { item: "present" },
  );
};

export const remove = async (context: RouteContext, thread: string, id: string): Promise<Reply> => {
  const { store } = await threadsOf(context);
  const { caller } = turnCall(context);
  const answer = runOfAnswerId(id);
  if (answer === undefined) await deleteMessage(store, caller, thread, id);
  else await removeAnswer(store, caller, thread, answer);
  return json(200, { message: "Message deleted successfully" });
};

const titleLength = 50;

/** A thread is called by what it begins with. */
const giveTitle = async (store: ThreadStore, caller: Caller, head: Thread, content: string): Promise<void> => {
  const words = content.trim().replaceAll(/\s+/g, " ");
  if (head.title !== undefined || words === "") return;
  // Not in the middle of a character.
  const start = words.slice(0, titleLength).replace(/[\uD800-\uDBFF]$/, "");
  const title = words.length > titleLength ? `${start}...` : words;
  // The run is on its way, and a name is no reason to fail; the next message gives one where this didn't.
  await patchThread(store, caller, head.id, { title }, head.revision).catch(() => undefined);
};

/** Runs of this API are asked on the wire that keeps most of what models of all makers say. */
const requestOf = (context: RouteContext): ChatRequest => {
  const { model, system } = context.services.config.siili;
  return {
    model,
    stream: true,
    system: system === undefined ? [] : [{ type: "text", text: system }],
    messages: [],
    tools: [],
    sampling: {},
  };
};

type Sent = { turn: Turn; asked: Message; model: string };

/** Stores the message and begins its run. Whatever is wrong is told before anything is written. */
const begin = async (context: RouteContext, thread: string): Promise<Sent> => {
  const { store, turns } = await threadsOf(context);
  const call = turnCall(context);
  const { config } = context.services;
  const request = requestOf(context);
  checkModel(context, request.model);
  const body: JsonObject = parseBody(context.call.body);
  const content = textField(body, "content");
  if (content === undefined) throw invalid("content", "expected a text");
  const head = await loadHead(store, call.caller, thread);
  const { attachments, parts } = await loadAttachments(store, call.caller, body, config.server.maxBodyBytes);
  if (content === "" && parts.length === 0) throw invalid("content", "expected a text, or attachments");

  const now = store.clock.now();
  const added: NewMessage & { clientId: string; metadata: JsonObject } = {
    message: { role: "user", parts: [...(content === "" ? [] : [{ type: "text" as const, text: content }]), ...parts] },
    clientId: `user_${store.newId()}`,
    metadata: userMetadata(now, attachments),
  };
  const turn = await turns.begin(call, {
    thread,
    spec: specOf({ ...context, wire: clientWires["openai-responses"] }, request),
    messages: [added],
    // A client may send on while an answer is written. For tools' outputs it would wait in vain: it can't give them.
    onConflict: head.run === undefined && head.parked !== undefined ? "interrupt" : "enqueue",
    run: { metadata: { model: request.model } },
  });
  await giveTitle(store, call.caller, head, content);
  const { clientId, ...stored } = added;
  return {
    turn,
    asked: userMessage({ ...stored, id: clientId, clientId, createdAt: now }, call.caller.owner),
    model: request.model,
  };
};

const runHeaders = ({ thread, run }: Turn): Record<string, string> => ({
  "heddle-thread": thread,
  "heddle-run": run.id,
});

/** The user's message, at once; the answer is there when its run has ended. */
export const send = async (context: RouteContext, thread: string): Promise<Reply> => {
  const { turn, asked } = await begin(context, thread);
  const reply = json(200, asked);
  return { ...reply, headers: { ...reply.headers, ...runHeaders(turn) } };
};

export const stream = async (context: RouteContext, thread: string): Promise<Reply> => {
  const { turn, asked, model } = await begin(context, thread);
  const { store } = await threadsOf(context);
  return {
    status: 200,
    headers: { ...eventStreamHeaders("text/plain; charset=utf-8"), ...runHeaders(turn) },
    heartbeat,
    body: streamRun(
      store,
      turnCall(context).caller,
      { thread, run: turn.run, asked, model },
      context.invocation.signal,
    ),
  };
};
