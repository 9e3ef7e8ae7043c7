// The table in Cosmos DB: one container, partition key `/pk`, time to live on without a default. Writes are conditional patches
// where they can be, else read, decided here and written back by ETag. The account's consistency must be strong, or bounded
// staleness with one write region, for reads to be of the newest version: conditions hold in any case.
import { randomUUID } from "node:crypto";
import type { ConnectionPolicy, OperationInput, RequestOptions } from "@azure/cosmos";
import type { TokenCredential } from "@azure/identity";
import { GatewayError } from "../model/error.ts";
import { living, stepsOf } from "./cosmos/batch.ts";
import { decodeDocument, encodeDocument, type Stored } from "./cosmos/document.ts";
import { idOf } from "./cosmos/ids.ts";
import { codeOf, judge, judgeStatus } from "./cosmos/judge.ts";
import { patchOf, sumsOf, type Patch } from "./cosmos/patch.ts";
import { compileQuery, pageOf, readAtMost } from "./cosmos/query.ts";
import { azureCredential } from "../remote/azure-credential.ts";
import {
  defaultPolicy,
  outage,
  pause,
  persist,
  unknownOutcome,
  type Attempt,
  type RetryPolicy,
} from "../remote/persist.ts";
import { checkKeys, checkTransaction, holds, keyOf, makesNew, maxOperations, outcomeOf } from "./shared/semantics.ts";
import { transactOne } from "./shared/single.ts";
import type { Item, Key, Operation, Table, Written } from "./table.ts";

export type CosmosOptions = {
  readonly endpoint: string;
  readonly database: string;
  readonly container: string;
  /** Without a key or a credential: the process's own. */
  readonly key?: string;
  readonly credential?: TokenCredential;
  readonly connectionPolicy?: ConnectionPolicy;
  readonly policy?: Partial<RetryPolicy>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
};

const store = "Cosmos DB";
const mostRounds = 20;

/** What a conditional request came to: `status` is 404, 409 or 412 where its condition was lost. */
type Answer = { readonly status: number; readonly stored?: Stored; readonly uncertain: boolean };

const lost: ReadonlySet<number> = new Set([404, 409, 412]);
const badRequest = 400;

/** Opens the container, which must be there. Loads the SDK; sends nothing yet. */
export const openCosmos = async (options: CosmosOptions): Promise<Table> => {
  const sdk = await import("@azure/cosmos");
  const policy: RetryPolicy = { ...defaultPolicy, ...options.policy };
  const client = new sdk.CosmosClient({
    endpoint: options.endpoint,
    ...(options.key === undefined ? { aadCredentials: options.credential ?? azureCredential() } : { key: options.key }),
    connectionPolicy: {
      requestTimeout: policy.timeoutMs,
      // Throttled calls are tried again here, with the rest.
      retryOptions: { maxRetryAttemptCount: 0, fixedRetryIntervalInMilliseconds: 0, maxWaitTimeInSeconds: 0 },
      ...options.connectionPolicy,
    },
  });
  const container = client.database(options.database).container(options.container);
  const now = (): number => Math.floor((options.now ?? Date.now)() / 1000);

  const call = <T>(repeatable: boolean, attempt: Attempt<T>): Promise<T> =>
    persist(store, policy, repeatable, judge, attempt);

  const read = (key: Key): Promise<Stored | undefined> =>
    call(true, async (abortSignal) => {
      const answer = await container.item(idOf(key.sk), key.pk).read<Stored>({ abortSignal });
      return answer.resource;
    });

  /** A request whose lost condition is an answer. */
  const attempt = (
    repeatable: boolean,
    send: (options: RequestOptions) => Promise<{ resource?: unknown }>,
    alsoLost?: number,
  ): Promise<Answer> =>
    call(repeatable, async (abortSignal, uncertain) => {
      try {
        const { resource } = await send({ abortSignal });
        return { status: 200, stored: resource as Stored, uncertain };
      } catch (error) {
        const status = codeOf(error);
        if (status !== undefined && (lost.has(status) || status === alsoLost)) return { status, uncertain };
        throw error;
      }
    });

  const ifMatch = (stored: Stored): RequestOptions => ({
    accessCondition: { type: "IfMatch", condition: stored._etag },
  });

  const sendPatch = (key: Key, patch: Patch, repeatable: boolean): Promise<Answer> =>
    attempt(repeatable, (each) => container.item(idOf(key.sk), key.pk).patch(patch, each), badRequest);

  /** Writes what was decided on `stored`, if that still stands. */
  const sendWhole = (operation: Operation, stored: Stored | undefined, token: string, at: number): Promise<Answer> => {
    const key = keyOf(operation);
    const outcome = outcomeOf(operation, living(stored, at));
    const item = container.item(idOf(key.sk), key.pk);
    if (typeof outcome === "object") {
      const document = encodeDocument(outcome.write, token, at);
      return stored === undefined
        ? attempt(true, (each) => container.items.create(document, each))
        : attempt(true, (each) => item.replace(document, { ...each, ...ifMatch(stored) }));
    }
    return attempt(true, (each) => item.delete(stored === undefined ? each : { ...each, ...ifMatch(stored) }));
  };

  const failure = (item: Item | undefined, failed = 0): Written => ({
    ok: false,
    failed,
    ...(item === undefined ? {} : { item }),
  });

  /** After a try that may have been done: whether what stands there is its work. Throws where that can't be told. */
  const ownWork = (stored: Stored | undefined, token: string): Written => {
    if (stored?.token !== token) throw unknownOutcome(store, undefined);
    return { ok: true, item: decodeDocument(stored) };
  };

  const write = async (operation: Operation): Promise<Written> => {
    checkKeys(operation);
    const key = keyOf(operation);
    const token = randomUUID();
    const sums = sumsOf(operation);
    const repeatable = sums.length === 0 || operation.condition?.version !== undefined;
    // A patch needs a living item: the first choice unless the condition says that there is none.
    let mayPatch = true;
    let stored: Stored | undefined;
    // What is to be new is taken to be so: its creation fails where it isn't.
    let known = makesNew(operation);
    for (let round = 1; round <= mostRounds; round += 1) {
      const at = now();
      const patch =
        mayPatch && !(known && living(stored, at) === undefined) ? patchOf(operation, token, at) : undefined;
      if (patch !== undefined) {
        const answer = await sendPatch(key, patch, repeatable);
        if (answer.stored !== undefined) return { ok: true, item: decodeDocument(answer.stored) };
        stored = await read(key);
        known = true;
        if (answer.uncertain) return ownWork(stored, token);
        const item = living(stored, at);
        if (!holds(operation.condition, item)) return failure(item);
        // What the service refuses, or can't add to, is done by hand, which says what is wrong with it.
        const addable = sums.every((field) => ["number", "undefined"].includes(typeof item?.data[field]));
        mayPatch = addable && answer.status !== badRequest;
        if (round > 2) await pause(round);
        continue;
      }
      if (!known) stored = await read(key);
      const before = living(stored, at);
      if (!holds(operation.condition, before)) return failure(before);
      if ("delete" in operation && stored === undefined) return { ok: true };
      const answer = await sendWhole(operation, stored, token, at);
      if (!lost.has(answer.status)) {
        const left = "delete" in operation || answer.stored === undefined ? undefined : decodeDocument(answer.stored);
        return { ok: true, ...(left === undefined ? {} : { item: left }) };
      }
      stored = await read(key);
      known = true;
      if (answer.uncertain) return ownWork(stored, token);
      if (round > 2) await pause(round);
    }
    throw outage(store, undefined);
  };

  const remove = async (key: Key): Promise<Written> => {
    await attempt(true, (each) => container.item(idOf(key.sk), key.pk).delete(each));
    return { ok: true };
  };

  /** The statuses of a batch's steps, and whether an earlier try may have done it. */
  const sendBatch = (pk: string, steps: OperationInput[]): Promise<{ statuses: number[]; uncertain: boolean }> =>
    call(true, async (abortSignal, uncertain) => {
      // The SDK writes into what it is given.
      const answer = await container.items.batch(structuredClone(steps), pk, { abortSignal });
      const statuses = (answer.result ?? []).map((each) => each.statusCode);
      // 424: not done because another step failed.
      const broken = statuses.find((status) => status >= 400 && status !== 424 && !lost.has(status));
      const verdict = broken === undefined ? undefined : judgeStatus(broken);
      if (typeof verdict === "object") throw verdict.final;
      if (verdict !== undefined) throw Object.assign(new Error("A step of a batch was refused."), { code: broken });
      return { statuses, uncertain };
    });

  const transact = async (pk: string, operations: readonly Operation[]): Promise<Written> => {
    const token = randomUUID();
    // What is to be absent is taken to be so, and created without a read; it is read when that fails.
    const unread = new Set(operations.flatMap((each, position) => (makesNew(each) ? [position] : [])));
    for (let round = 1; round <= mostRounds; round += 1) {
      const stored = await Promise.all(
        operations.map(async (each, position) => (unread.has(position) && round === 1 ? undefined : read(keyOf(each)))),
      );
      const at = now();
      const failed = operations.findIndex((each, position) => !holds(each.condition, living(stored[position], at)));
      if (failed >= 0) {
        // Which condition fails first isn't known before all are read.
        const guessed = round === 1 && [...unread].some((position) => position < failed);
        if (!guessed) return failure(living(stored[failed], at), failed);
        continue;
      }
      const steps = operations.flatMap((each, position) => stepsOf(each, keyOf(each), stored[position], token, at));
      if (steps.length === 0) return { ok: true };
      if (steps.length > maxOperations)
        throw new GatewayError("internal", `A storage transaction has more than ${maxOperations} steps.`);
      const { statuses, uncertain } = await sendBatch(pk, steps);
      if (statuses.every((status) => status < 400)) return { ok: true };
      if (uncertain) {
        const written = operations.find((each) => "put" in each || "update" in each);
        const done = written === undefined ? undefined : await read(keyOf(written));
        return ownWork(done, token).ok ? { ok: true } : failure(undefined);
      }
      if (round > 1) await pause(round);
    }
    throw outage(store, undefined);
  };

  const get = async (key: Key): Promise<Item | undefined> => living(await read(key), now());

  return {
    get,
    put: (item, condition) => write({ put: item, ...(condition && { condition }) }),
    update: (key, change, condition) => write({ update: key, change, ...(condition && { condition }) }),
    delete: (key, condition) => (condition === undefined ? remove(key) : write({ delete: key, condition })),
    query: async (asked) => {
      const compiled = compileQuery(asked, now());
      if (compiled === undefined) return { items: [] };
      const found = await call(true, (abortSignal) =>
        readAtMost(
          container.items.query<Stored>(compiled.spec, { ...compiled.options, abortSignal }),
          compiled.options.maxItemCount,
        ),
      );
      return pageOf(asked, found);
    },
    transact: async (pk, operations) => {
      checkTransaction(pk, operations);
      return (await transactOne(operations, get, write)) ?? transact(pk, operations);
    },
    close: async () => {
      client.dispose();
    },
  };
};
