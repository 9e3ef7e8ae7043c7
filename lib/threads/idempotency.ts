// Idempotency-Key: the first call under a key is carried out, every later one gets its answer.
import { GatewayError, invalid } from "../model/error.ts";
import { asNumber, asObject, asString, compact, type JsonObject } from "../model/json.ts";
import type { Condition, Item, Key } from "../stores/table.ts";
import { loadBody, storeLooseBody } from "./bodies.ts";
import { idempotencyPartition } from "./keys.ts";
import { type Caller, contentionTries, type ThreadStore } from "./store.ts";

/** A run's step as it was when it began: by then its events are numbered, whatever becomes of the run. */
export type KeptRun = { thread: string; run: string; step?: number; stepFirst?: number };

/** The answer of a finished call: a body, or the run whose events are its body (streams replay from there). */
export type KeptAnswer = {
  status: number;
  headers: Record<string, string>;
  body?: string;
  /** The body is bytes, in base64. */
  binary?: boolean;
  run?: KeptRun;
};

/** The right to carry the call out. */
export type IdempotencyToken = { key: Key; fence: number; scope: { space: string; name: string } };

export type IdempotencyStart = { kind: "new"; token: IdempotencyToken } | { kind: "answered"; answer: KeptAnswer };

const keepSeconds = 24 * 3600;
const sk = "once";
/** How long a call that says nothing more (`renewIdempotent`) is held to be alive. */
export const defaultLeaseMs = 30_000;

const until = (store: ThreadStore): number => Math.floor(store.clock.now() / 1000) + keepSeconds;

const running = (waitMs: number): GatewayError =>
  new GatewayError("conflict", "A call with this Idempotency-Key is still running.", {
    param: "idempotency-key",
    retryable: true,
    retryAfterMs: Math.min(Math.max(waitMs, 0), 1000),
  });

/**
 * `bodyHash` stands for all that makes the call what it is: method, path and body. Throws `idempotency_mismatch` (422) where the key
 * was used for another call, `conflict` (409) while the first is running. One that died is carried out anew after `leaseMs`.
 */
export const beginIdempotent = async (
  store: ThreadStore,
  caller: Caller,
  idempotencyKey: string,
  bodyHash: string,
  leaseMs = defaultLeaseMs,
): Promise<IdempotencyStart> => {
  if (idempotencyKey === "" || idempotencyKey.length > 255)
    throw invalid("idempotency-key", "expected 1 to 255 characters");
  const key: Key = { pk: idempotencyPartition(caller.space, caller.owner, idempotencyKey), sk };
  const name = process
    .getBuiltinModule("node:crypto")
    .hash("sha256", JSON.stringify([caller.owner, idempotencyKey]), "hex");
  const scope = { space: caller.space, name: `once:${name}` };
  for (let tried = 0; tried < contentionTries; tried += 1) {
    const now = store.clock.now();
    const there = await store.table.get(key);
    if (there !== undefined) {
      if (there.data["hash"] !== bodyHash)
        throw new GatewayError("idempotency_mismatch", "This Idempotency-Key was used for another call.", {
          param: "idempotency-key",
        });
      if (there.data["state"] === "answered")
        return { kind: "answered", answer: await decodeAnswer(store, scope, there) };
      const leaseUntil = asNumber(there.data["leaseUntil"]) ?? 0;
      if (leaseUntil > now) throw running(leaseUntil - now);
    }
    const fence = (asNumber(there?.data["fence"]) ?? 0) + 1;
    const condition: Condition = there === undefined ? { item: "absent" } : { item: "present", version: there.version };
    const written = await store.table.put(
      { ...key, data: { hash: bodyHash, state: "running", fence, leaseUntil: now + leaseMs }, expiresAt: until(store) },
      condition,
    );
    if (written.ok) return { kind: "new", token: { key, fence, scope } };
  }
  throw running(0);
};

const holding = (token: IdempotencyToken): Condition => ({
  item: "present",
  fields: [
    { field: "fence", is: "=", value: token.fence },
    { field: "state", is: "=", value: "running" },
  ],
});

/** The call is still being carried out. Nothing happens where another has taken it over. */
export const renewIdempotent = async (
  store: ThreadStore,
  token: IdempotencyToken,
  leaseMs = defaultLeaseMs,
): Promise<void> => {
  await store.table.update(token.key, { set: { leaseUntil: store.clock.now() + leaseMs } }, holding(token));
};

/**
 * Keeps the answer. Where another has meanwhile taken over, that one's stands. A run may be named as soon as it has begun: whoever
 * comes with the same key then follows its events.
 */
export const finishIdempotent = async (
  store: ThreadStore,
  token: IdempotencyToken,
  answer: KeptAnswer,
): Promise<void> => {
  const body =
    answer.body === undefined
      ? undefined
      : await storeLooseBody(store, token.scope.space, token.scope.name, answer.body, until(store) * 1000);
  const { status, headers, run, binary } = answer;
  await store.table.update(
    token.key,
    {
      set: compact<JsonObject>({ state: "answered", status, headers, run, binary, ...body }),
      remove: ["leaseUntil"],
      expiresAt: until(store),
    },
    holding(token),
  );
};

/** Nothing was made (a refusal that may pass, an outage): the key is free again. */
export const abandonIdempotent = async (store: ThreadStore, token: IdempotencyToken): Promise<void> => {
  await store.table.delete(token.key, holding(token));
};

/** A run that was named as the answer came to nothing: the key is free again, unless another answer stands there by now. */
export const forgetIdempotent = async (
  store: ThreadStore,
  caller: Caller,
  idempotencyKey: string,
  run: KeptRun,
): Promise<void> => {
  const key: Key = { pk: idempotencyPartition(caller.space, caller.owner, idempotencyKey), sk };
  const there = await store.table.get(key);
  if (there !== undefined && asObject(there.data["run"])?.["run"] === run.run)
    await store.table.delete(key, { item: "present", version: there.version });
};

const decodeRun = (run: JsonObject): KeptRun =>
  compact<KeptRun>({
    thread: asString(run["thread"]) ?? "",
    run: asString(run["run"]) ?? "",
    step: asNumber(run["step"]),
    stepFirst: asNumber(run["stepFirst"]),
  });

const decodeAnswer = async (
  store: ThreadStore,
  scope: IdempotencyToken["scope"],
  { data }: Item,
): Promise<KeptAnswer> => {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(asObject(data["headers"]) ?? {}))
    if (typeof value === "string") headers[name] = value;
  const run = asObject(data["run"]);
  const hasBody = data["body"] !== undefined || data["blob"] !== undefined;
  return compact<KeptAnswer>({
    status: asNumber(data["status"]) ?? 200,
    headers,
    body: hasBody ? await loadBody(store, scope.space, scope.name, data) : undefined,
    binary: data["binary"] === true ? true : undefined,
    run: run === undefined ? undefined : decodeRun(run),
  });
};
