// Runs: begin, read, list, cancel, give the outputs of their tools.
import { type GatewayError, invalid, toGatewayError } from "../../model/error.ts";
import type { ToolResultPart } from "../../model/message.ts";
import { compact } from "../../model/json.ts";
import type { Reply } from "../../model/call.ts";
import { isId, loadHead } from "../../threads/head.ts";
import { hasEnded, type Run } from "../../threads/run-items.ts";
import { cancelRun, getRun, listRuns } from "../../threads/runs.ts";
import type { NewTurn, Turn } from "../../turns/types.ts";
import { clientWires } from "../../wires/index.ts";
import { checkModel, json, needs, type RouteContext } from "../route.ts";
import { failed, specOf, turnCall, turnHeaders } from "../turns.ts";
import { type Access, accessOf, bodyFields, naming, runParam, threadParam } from "./access.ts";
import { stepEnd, streamTurn } from "./events.ts";
import { fieldsOf, type Fields } from "./fields.ts";
import { listObject, orderOf, pageOf } from "./objects.ts";
import { decodeParts } from "./parts.ts";
import { decodeRun, runFields } from "./request.ts";
import { answeredRun, parkedAnswer, pendingCalls, runObject, runObjects } from "./run-object.ts";

/** The wire that a run of this API has where one is needed: its answers are this API's own. */
const wire = clientWires["openai-responses"];

/** The failure of a run that ended before anything was said: as an error it says more than as a run. */
const saidNothing = ({ state, usage, error }: Run): GatewayError | undefined =>
  state === "failed" && usage === undefined ? error : undefined;

/** A stream, or the run with its answer once the step has ended. Throws the failure of a run that said nothing. */
const answer = async (context: RouteContext, access: Access, turn: Turn, stream: boolean): Promise<Reply> => {
  const { store, caller } = access;
  const { signal } = context.invocation;
  try {
    try {
      await turn.begun;
    } catch (thrown) {
      // Somebody stopped it: that is how it ended, and no failure.
      if (toGatewayError(thrown).code !== "cancelled") throw thrown;
    }
    await context.begun?.(turn);
    if (stream) return await streamTurn(access, turn, signal, turnHeaders(turn));
    const over = hasEnded(turn.run.state) || turn.run.state === "requires_action";
    if (!over) await stepEnd(access, turn.run, signal);
    const run = await getRun(store, caller, turn.thread, turn.run.id);
    const failure = saidNothing(run);
    if (failure !== undefined) throw failure;
    const reply = json(200, await answeredRun(access, run));
    Object.assign(reply.headers, turnHeaders(turn));
    return reply;
  } catch (thrown) {
    throw failed(turn, thrown);
  }
};

/** The same call again, under its Idempotency-Key: the turn that it began. */
export const replayRun = async (context: RouteContext, turn: Turn): Promise<Reply> =>
  answer(context, await accessOf(context), turn, turn.spec.request.stream);

export const createRunRoute = async (context: RouteContext): Promise<Reply> => {
  const access = await accessOf(context);
  const thread = threadParam(context);
  const { request, messages, background, parentId, onConflict, metadata, id } = decodeRun(
    bodyFields(context, runFields),
  );
  checkModel(context, request.model);
  const head = await loadHead(access.store, access.caller, thread);
  if (messages.length === 0 && (parentId === undefined ? head.leafId === undefined : parentId === null))
    throw invalid("messages", "expected messages or input: there is nothing to answer yet");
  const turn = await naming(
    { "messages[].id": "messages[].client_id" },
    access.turns.begin(
      turnCall(context),
      compact<NewTurn>({
        thread,
        spec: specOf({ ...context, wire }, request),
        messages,
        parentId,
        onConflict,
        later: background ? true : undefined,
        run: compact<NonNullable<NewTurn["run"]>>({ id, metadata }),
      }),
    ),
  );
  if (!background || request.stream) return answer(context, access, turn, request.stream);
  const reply = json(202, await runObject(access, turn.run));
  Object.assign(reply.headers, turnHeaders(turn));
  return reply;
};

export const listRunsRoute = async (context: RouteContext): Promise<Reply> => {
  const access = await accessOf(context);
  const { limit, cursor, query } = pageOf(context);
  if (cursor !== undefined && !isId(cursor)) throw invalid("after", "expected the id of a run");
  const { runs, hasMore } = await listRuns(access.store, access.caller, threadParam(context), {
    limit,
    descending: orderOf(query, "desc") === "desc",
    ...(cursor === undefined ? {} : { after: cursor }),
  });
  return json(200, listObject(await runObjects(access, runs), hasMore ? runs.at(-1)?.id : undefined));
};

export const getRunRoute = async (context: RouteContext): Promise<Reply> => {
  const access = await accessOf(context);
  const run = await getRun(access.store, access.caller, threadParam(context), runParam(context));
  return json(200, await answeredRun(access, run));
};

export const cancelRunRoute = async (context: RouteContext): Promise<Reply> => {
  const access = await accessOf(context);
  const { store, caller, turns } = access;
  const thread = threadParam(context);
  const run = await cancelRun(store, caller, thread, runParam(context));
  // A run that waits behind a parked one has nobody else to begin it.
  if (hasEnded(run.state)) context.invocation.waitUntil(turns.work(caller.space, thread).catch(() => undefined));
  return json(200, await answeredRun(access, run));
};

type Outputs = { part: ToolResultPart; path: string }[];

const outputsOf = (fields: Fields): Outputs => {
  const listed = fields.list("tool_outputs", { min: 1, max: 1000 });
  if (listed === undefined) throw invalid("tool_outputs", "expected a list");
  const seen = new Set<string>();
  return listed.map(({ value, path }) => {
    const each = fieldsOf(value, path, ["tool_call_id", "output", "is_error"]);
    const callId = each.needText("tool_call_id", { min: 1, max: 256 });
    if (seen.has(callId)) throw invalid(each.at("tool_call_id"), "expected one output for each call");
    seen.add(callId);
    const output = each.given("output") ?? undefined;
    if (output === undefined) throw invalid(each.at("output"), "expected text or a list of parts");
    const parts = decodeParts(output, each.at("output"), "output");
    const isError = each.flag("is_error");
    return {
      part: compact<ToolResultPart>({ type: "tool-result", callId, parts, isError }),
      path: each.at("tool_call_id"),
    };
  });
};

/** The outputs with what their calls say of them. Throws a 400 that names an output of no call. */
const matched = async (access: Access, run: Run, outputs: Outputs): Promise<ToolResultPart[]> => {
  // What waits for nothing is refused by those who know.
  if (run.state !== "requires_action") return outputs.map(({ part }) => part);
  const calls = new Map(pendingCalls(run, await parkedAnswer(access, run)).map((call) => [call.id, call]));
  const pending = new Set(run.pending);
  return outputs.map(({ part, path }) => {
    if (!pending.has(part.callId)) throw invalid(path, "the run waits for no such call");
    const call = calls.get(part.callId);
    return compact<ToolResultPart>({ ...part, name: call?.name, custom: call?.custom });
  });
};

export const toolOutputsRoute = async (context: RouteContext): Promise<Reply> => {
  const access = await accessOf(context);
  const thread = threadParam(context);
  const id = runParam(context);
  needs(context, "models:call");
  const fields = bodyFields(context, ["tool_outputs", "stream"]);
  const outputs = outputsOf(fields);
  const stream = fields.flag("stream") ?? false;
  const run = await getRun(access.store, access.caller, thread, id);
  if (context.caller.scopes?.models !== undefined)
    checkModel(context, (await access.turns.spec(access.caller.space, run)).request.model);
  const parts = await matched(access, run, outputs);
  const turn = await access.turns.resume(turnCall(context), thread, id, [{ message: { role: "user", parts } }]);
  return answer(context, access, turn, stream);
};
