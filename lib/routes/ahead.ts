// Calls that may begin while it is still being read whether the caller's key was revoked: their answer waits for that, and what they
// began is broken off where it was. Only calls that leave nothing behind: a provider is asked, and nothing is stored.
import type { Call, Invocation, Reply } from "../model/call.ts";
import type { Route } from "./route.ts";

/** The model calls that are on no thread, whatever their body says; `/v1/messages` is on one where its body says so. */
const stateless =
  /^\/v1\/(?:chat\/completions|messages|messages\/count_tokens|embeddings|images\/generations|audio\/(?:speech|transcriptions|translations))$|^\/v1(?:beta)?\/.+:(?:generateContent|streamGenerateContent|countTokens)$/;

export const mayRunAhead = (route: Route, { path, headers, body }: Call): boolean =>
  route.action === "models:call" &&
  headers["idempotency-key"] === undefined &&
  (headers["heddle-thread"] ?? "") === "" &&
  stateless.test(path) &&
  !(path === "/v1/messages" && Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes('"thread"'));

/** Nothing reads it any more. */
const letGo = async ({ body }: Reply): Promise<void> => {
  if (typeof body !== "string" && !(body instanceof Uint8Array)) await body[Symbol.asyncIterator]().return?.();
};

/** The reply of `run`, once `verified` has resolved. Rejects with what `verified` rejects with, before any byte of the reply is given. */
export const runAhead = async (
  verified: Promise<void>,
  invocation: Invocation,
  run: (invocation: Invocation) => Promise<Reply> | Reply,
): Promise<Reply> => {
  const refused = new AbortController();
  const signal = AbortSignal.any([invocation.signal, refused.signal]);
  const running = (async (): Promise<Reply> => run({ ...invocation, signal }))();
  // What goes wrong ahead is told to nobody who is refused.
  running.catch(() => undefined);
  try {
    await verified;
  } catch (thrown) {
    refused.abort();
    invocation.waitUntil(running.then(letGo).catch(() => undefined));
    throw thrown;
  }
  return running;
};
