// A run as this API shows it.
import { GatewayError } from "../../model/error.ts";
import { asString, compact, type JsonObject } from "../../model/json.ts";
import { getMessage } from "../../threads/messages.ts";
import type { StoredMessage } from "../../threads/message-items.ts";
import type { Run } from "../../threads/run-items.ts";
import { type RunUsage, usageOfRuns } from "../../threads/run-usage.ts";
import type { Access } from "./access.ts";
import { messageObject, problemObject, sumCost, sumUsage, usageObject } from "./objects.ts";

/** The message that a run last made; undefined where it made none, or it was deleted since. */
const answerOf = async ({ store, caller }: Access, run: Run): Promise<StoredMessage | undefined> => {
  if (run.output === undefined) return undefined;
  try {
    return await getMessage(store, caller, run.thread, run.output);
  } catch (thrown) {
    if (thrown instanceof GatewayError && thrown.code === "not_found") return undefined;
    throw thrown;
  }
};

/** The calls that a parked run waits for, in their order. */
export const pendingCalls = (
  run: Run,
  answer: StoredMessage | undefined,
): { id: string; name: string; arguments: string; custom?: boolean }[] => {
  const pending = new Set(run.state === "requires_action" ? run.pending : []);
  return (answer?.message.parts ?? []).flatMap((part) =>
    part.type === "tool-call" && pending.has(part.callId)
      ? [
          {
            id: part.callId,
            name: part.name,
            arguments: part.arguments,
            ...(part.custom === undefined ? {} : { custom: part.custom }),
          },
        ]
      : [],
  );
};

export const parkedAnswer = (access: Access, run: Run): Promise<StoredMessage | undefined> =>
  run.state === "requires_action" ? answerOf(access, run) : Promise.resolve(undefined);

const objectOf = async (access: Access, run: Run, records: readonly RunUsage[]): Promise<JsonObject> => {
  const [spec, parked] = await Promise.all([access.turns.spec(access.caller.space, run), parkedAnswer(access, run)]);
  const usage = records.length > 0 ? sumUsage(records.map((record) => record.usage)) : run.usage;
  return compact<JsonObject>({
    id: run.id,
    object: "thread.run",
    thread_id: run.thread,
    status: run.state,
    created_at: run.createdAt,
    started_at: run.startedAt ?? null,
    completed_at: run.endedAt ?? null,
    model: spec.request.model,
    step: run.step,
    required_action: run.state === "requires_action" ? { tool_calls: pendingCalls(run, parked) } : null,
    stop_reason: asString(run.result?.["reason"]) ?? null,
    usage: usage === undefined ? null : usageObject(usage),
    cost: sumCost(records),
    error: run.error === undefined ? null : problemObject(run.error, spec.requestId),
    message_id: run.output ?? null,
    metadata: run.metadata,
  });
};

export const runObjects = async (access: Access, runs: readonly Run[]): Promise<JsonObject[]> => {
  const usage = await usageOfRuns(access.store, access.caller.space, runs);
  return Promise.all(runs.map((run) => objectOf(access, run, usage.get(run.id) ?? [])));
};

export const runObject = async (access: Access, run: Run): Promise<JsonObject> => {
  const [object = {}] = await runObjects(access, [run]);
  return object;
};

/** With the message it made, whole. */
export const answeredRun = async (access: Access, run: Run): Promise<JsonObject> => {
  const [object, answer] = await Promise.all([runObject(access, run), answerOf(access, run)]);
  return { ...object, message: answer === undefined ? null : messageObject(answer) };
};
