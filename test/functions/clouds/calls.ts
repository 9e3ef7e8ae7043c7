// Calls of what was deployed, by its client key.
import { expect } from "vitest";
import { type Instance, key } from "./app.ts";

export type Json = Record<string, unknown>;

type At = Pick<Instance, "url">;

export const call = (
  at: At,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(`${at.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    // So that what hangs is told by its call.
    signal: AbortSignal.timeout(40_000),
  });

export const json = async (at: At, method: string, path: string, body?: unknown): Promise<Json> =>
  (await (await call(at, method, path, body)).json()) as Json;

export const newThread = async (at: At, id: string): Promise<void> => {
  expect((await call(at, "POST", "/v1/threads", { id })).status).toBe(201);
};

/** Asks until the answer fits; fails after twenty seconds. */
export const eventually = async <T>(ask: () => T | Promise<T>, fits: (answer: T) => boolean): Promise<T> => {
  for (let tries = 0; ; tries += 1) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (tries > 200) throw new Error(`never: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

/** The run, once it is no longer under way. */
export const ended = (at: At, thread: string, id: string): Promise<Json> =>
  eventually(
    () => json(at, "GET", `/v1/threads/${thread}/runs/${id}`),
    ({ status }) => status !== "queued" && status !== "in_progress",
  );

/** A run that a worker carries out. */
export const background = { model: "echo/echo", input: "Take your time.", background: true, run_id: "job" };
