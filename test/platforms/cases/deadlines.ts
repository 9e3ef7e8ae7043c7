// Answers that must end by a time: each wire's own clean end, or a 504 where nothing was said yet.
import { expect } from "vitest";
import { rawWires } from "../../support/wires.ts";
import { callOf, wireIds, withoutHeartbeats, wordOf } from "../calls.ts";
import { ask, open } from "../client.ts";
import { type Case, type Facts, type Holds, key, type PlatformUnderTest, type Topic } from "../platform.ts";
import { staysAlive } from "./streaming.ts";

const shortOf = async (under: PlatformUnderTest): Promise<PlatformUnderTest> => {
  const short = await under.short?.();
  if (short === undefined) throw new Error("A platform with a deadline has a short one for tests.");
  return short;
};

const ends = (why: string): Case[] => [
  {
    name: `a provider that takes too long: 504, and the wire's own end of a stream that has begun (${why})`,
    run: async (under) => {
      const short = await shortOf(under);
      const never = new Promise<void>(() => undefined);
      const calls = wireIds.flatMap((wire) => [
        async () => {
          const { model } = short.provider.play(() => never);
          const answer = await ask(short.url, callOf(wire, model));
          expect(`${wire} ${answer.status}`).toBe(`${wire} 504`);
          rawWires[wire].envelope(answer.json());
        },
        async () => {
          const { model } = short.provider.play(async (out) => {
            out.head(200, { "content-type": "application/json" });
            await out.write(JSON.stringify(rawWires[wire].whole).slice(0, 30));
            await never;
          });
          const answer = await ask(short.url, callOf(wire, model));
          expect(`${wire} ${answer.status}`).toBe(`${wire} 504`);
          rawWires[wire].envelope(answer.json());
        },
        async () => {
          const { model } = short.provider.play(async (out) => {
            out.head(200, { "content-type": "text/event-stream" });
            await out.write(rawWires[wire].begin);
            await never;
          });
          const { text, status, whole } = await ask(short.url, callOf(wire, model, { stream: true }));
          expect({ wire, status, whole }).toEqual({ wire, status: 200, whole: true });
          expect(withoutHeartbeats(wire, text).startsWith(rawWires[wire].begin)).toBe(true);
          expect(rawWires[wire].inBandError(text)).toBe(true);
          expect(text).toMatch(/\n\r?\n$/);
        },
      ]);
      await Promise.all(calls.map((call) => call()));
      expect(short.faults()).toEqual([]);
    },
  },
];

const asleep = (deadline: NonNullable<Facts["deadline"]>): Case => ({
  name: `the time is over while the client reads nothing: the provider is let go, and what is read then ends well${
    deadline.runsGoOn === true ? "" : `, unless it is read too late: ${deadline.runsGoOn.not}`
  }`,
  run: async (under) => {
    const wire = "openai-chat";
    const short = await shortOf(under);
    const { model, heard } = short.provider.play(async (out) => {
      out.head(200, { "content-type": "text/event-stream" });
      await out.write(rawWires[wire].begin);
      while (await out.write(wordOf(wire, "x".repeat(100_000))));
    });
    const answer = await open(short.url, callOf(wire, model, { stream: true }));
    answer.pause();
    expect(await heard[0]?.whole).toBe(false);
    answer.resume();
    const { text, whole } = await answer.end();
    if (deadline.runsGoOn === true) expect(whole).toBe(true);
    if (whole) expect(rawWires[wire].inBandError(text)).toBe(true);
    expect((await ask(short.url, { path: "/health/live" })).status).toBe(200);
  },
});

/** Bytes have no place for an error. */
const speech = (cutsBroken: Holds): Case => ({
  name: `the time is over in the middle of speech: it ${cutsBroken === true ? "is cut off" : `ends like a whole one: ${cutsBroken.not}`}`,
  run: async (under) => {
    const short = await shortOf(under);
    const { model } = short.provider.play(async (out) => {
      out.head(200, { "content-type": "audio/mpeg" });
      await out.write("ID3");
    });
    const body = JSON.stringify({ model: `compat/${model}`, input: "Hi", voice: "any" });
    const { text, whole, status } = await ask(short.url, { path: "/v1/audio/speech", headers, body });
    expect({ text, whole, status }).toEqual({ text: "ID3", whole: cutsBroken !== true, status: 200 });
  },
});

const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };

const ofRuns = (deadline: NonNullable<Facts["deadline"]>): Case => ({
  name: `a run's stream ends by the time too, and tells where the rest is${deadline.runsGoOn === true ? "" : `; not for long: ${deadline.runsGoOn.not}`}`,
  run: async (under) => {
    const wire = "openai-chat";
    const { begin, end } = rawWires[wire];
    const short = await shortOf(under);
    const gate = Promise.withResolvers<void>();
    const { model } = short.provider.play(async (out) => {
      out.head(200, { "content-type": "text/event-stream" });
      await out.write(begin);
      await gate.promise;
      await out.write(wordOf(wire, " after the time"));
      out.end(end);
    });
    await ask(short.url, { path: "/v1/threads", headers, body: JSON.stringify({ id: `late-${model}` }) });
    const body = JSON.stringify({ model: `compat/${model}`, input: "Hi", stream: true, run_id: "one" });
    const { text, whole } = await ask(short.url, { path: `/v1/threads/late-${model}/runs`, headers, body });
    expect(whole).toBe(true);
    expect(text).toContain("Hello");
    expect(text).toMatch(/event: error\n.*\n\n$/);
    const path = /GET (\/v1\/threads\/\S+?)"/.exec(text)?.[1] ?? "";
    gate.resolve();
    const rest = await ask(under.url, { path, headers });
    expect(rest.status).toBe(200);
    expect(rest.text).not.toContain("Hello");
    expect(rest.text).toMatch(
      deadline.runsGoOn === true ? / after the time[^]*response-end/ : /event: (?:response-end|error)\n/,
    );
  },
});

const noEnd: Case = {
  name: "no answer has to end by a time: the process lives on, and so does a stream that is kept alive",
  run: async (under) => {
    await staysAlive(under, "openai-chat", 20);
    expect(under.short).toBeUndefined();
  },
};

export const deadlines: Topic = ({ deadline }) => (deadline === undefined ? [noEnd] : ends(deadline.why));

/** Each waits for the same time to be over: they run beside one another. */
export const atDeadlines: Topic = ({ deadline, stores, cutsBroken }) =>
  deadline === undefined ? [] : [asleep(deadline), speech(cutsBroken), ...(stores === true ? [ofRuns(deadline)] : [])];
