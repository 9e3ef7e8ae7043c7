// What is kept: runs outlive their callers, and a call that comes again is the same call.
import { expect } from "vitest";
import { rawWires } from "../../support/wires.ts";
import { callOf, withoutHeartbeats, wordOf } from "../calls.ts";
import { ask, open } from "../client.ts";
import { type Case, key, type PlatformUnderTest, type Topic } from "../platform.ts";

const wire = "openai-chat";
const { begin, end, whole } = rawWires[wire];
const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };

type Run = { status: string };

/** The run, once it has ended. */
const ended = async (under: PlatformUnderTest, path: string): Promise<Run> => {
  for (;;) {
    const run = (await ask(under.url, { path, headers })).json() as Run;
    if (run.status !== "in_progress" && run.status !== "queued") return run;
    await new Promise((resolve) => void setTimeout(resolve, 20));
  }
};

const threadOf = async (under: PlatformUnderTest, model: string): Promise<string> => {
  const id = `kept-${model}`;
  expect((await ask(under.url, { path: "/v1/threads", headers, body: JSON.stringify({ id }) })).status).toBe(201);
  return `/v1/threads/${id}/runs`;
};

const comesAgain = (stream: boolean): Case => ({
  name: `a call that comes again under its Idempotency-Key gets the same answer, and costs nothing: ${stream ? "streamed" : "whole"}`,
  run: async (under) => {
    const { model, heard } = under.provider.play(async (out) => {
      out.head(200, { "content-type": stream ? "text/event-stream" : "application/json" });
      out.end(stream ? begin + end : JSON.stringify(whole));
    });
    const call = callOf(wire, model, { stream, headers: { "idempotency-key": `again-${model}` } });
    const first = await ask(under.url, call);
    const second = await ask(under.url, call);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(withoutHeartbeats(wire, second.text)).toBe(withoutHeartbeats(wire, first.text));
    expect(first.text).toContain("Hello");
    expect(second.headers["content-type"]).toBe(first.headers["content-type"]);
    expect(heard).toHaveLength(1);
    const other = await ask(under.url, { ...call, body: String(call.body).replace('"hi"', '"ho"') });
    expect(other.status).toBe(422);
    rawWires[wire].envelope(other.json());
  },
});

const cases: Case[] = [
  {
    name: "a run goes on when its caller leaves, and is whole (F54)",
    run: async (under) => {
      const left = Promise.withResolvers<void>();
      const { model, heard } = under.provider.play(async (out) => {
        out.head(200, { "content-type": "text/event-stream" });
        await out.write(begin);
        await left.promise;
        await out.write(wordOf(wire, " after all"));
        out.end(end);
      });
      const runs = await threadOf(under, model);
      const body = JSON.stringify({ model: `compat/${model}`, input: "Hi", stream: true, run_id: "one" });
      const answer = await open(under.url, { path: runs, headers, body });
      await answer.until((text) => text.includes("Hello"));
      answer.leave();
      left.resolve();
      expect(await heard[0]?.whole).toBe(true);
      expect(await ended(under, `${runs}/one`)).toMatchObject({ status: "completed" });
      expect((await ask(under.url, { path: `${runs}/one/events`, headers })).text).toContain(" after all");
    },
  },
  comesAgain(false),
  comesAgain(true),
  {
    name: "a response is gone on from",
    run: async (under) => {
      const respond = async (body: object): Promise<{ id: string; output: unknown }> =>
        (
          await ask(under.url, {
            path: "/v1/responses",
            headers,
            body: JSON.stringify({ model: "echo/echo", ...body }),
          })
        ).json() as { id: string; output: unknown };
      const first = await respond({ input: "My name is Weft." });
      const second = await respond({ input: "Who am I?", previous_response_id: first.id });
      expect(second).toMatchObject({ previous_response_id: first.id, status: "completed" });
      const kept = await ask(under.url, { path: `/v1/responses/${second.id}`, headers });
      expect(kept.json()).toMatchObject({ id: second.id, output: second.output });
    },
  },
];

export const runs: Topic = ({ stores }) => (stores === true ? cases : []);
