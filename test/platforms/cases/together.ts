// Many calls at once, and one connection for many calls.
import { Agent } from "node:http";
import { expect } from "vitest";
import type { ClientWireId } from "../../../lib/model/wire-id.ts";
import { rawWires } from "../../support/wires.ts";
import { callOf, headersOf, wireIds, withoutHeartbeats, wordOf } from "../calls.ts";
import { type Answer, ask, type Ask } from "../client.ts";
import { type Case, type Facts, maxBodyBytes, type Topic } from "../platform.ts";
import { type Script, says } from "../provider.ts";

type Planned = { wire: ClientWireId; stream: boolean; name: string };

/** Answers once all the others have been heard; streams then say a word in turn. */
const scriptOf =
  ({ wire, stream, name }: Planned, all: { heard: () => Promise<void>; turn: () => Promise<void> }): Script =>
  async (out) => {
    await all.heard();
    const { begin, end, whole } = rawWires[wire];
    if (!stream) {
      out.head(200, { "content-type": "application/json", "x-ratelimit-of": name });
      out.end(JSON.stringify(whole).replaceAll("Hello", name));
      return;
    }
    out.head(200, { "content-type": "text/event-stream", "x-ratelimit-of": name });
    await out.write(begin);
    for (let at = 0; at < 10; at += 1) {
      await all.turn();
      await out.write(wordOf(wire, `${name}.${at}.`));
    }
    out.end(end);
  };

const atOnce = (calls: number, why: string | undefined): Case => ({
  name: `${calls} calls at once, plain and streamed, of all wires: each has its own answer, headers and id${why === undefined ? "" : ` (no more: ${why})`}`,
  run: async (under) => {
    const plan = Array.from({ length: calls }, (_, at): Planned => {
      const wire = wireIds[at % wireIds.length] ?? "openai-chat";
      return { wire, stream: at % 3 !== 0, name: `thread${at}end` };
    });
    const everybody = Promise.withResolvers<void>();
    let heard = 0;
    const all = {
      heard: () => {
        heard += 1;
        if (heard === calls) everybody.resolve();
        return everybody.promise;
      },
      // The others come first.
      turn: () => new Promise<void>((resolve) => void setImmediate(resolve)),
    };
    const answers = await Promise.all(
      plan.map(async (planned) => {
        const { wire, stream, name } = planned;
        const { model } = under.provider.play(scriptOf(planned, all));
        const call = callOf(wire, model, { stream, text: name, headers: { "x-request-id": `id-${name}` } });
        return ask(under.url, call);
      }),
    );
    for (const [at, { status, headers, text, whole }] of answers.entries()) {
      const { wire, stream, name } = plan[at] ?? { wire: "openai-chat", stream: false, name: "" };
      expect(`${name} ${status} ${whole}`).toBe(`${name} 200 true`);
      expect(headers).toMatchObject({ "x-request-id": `id-${name}`, "x-ratelimit-of": name });
      expect(new Set(text.match(/thread\d+end/g))).toEqual(new Set([name]));
      if (!stream) continue;
      const { begin, end } = rawWires[wire];
      const words = Array.from({ length: 10 }, (_, word) => wordOf(wire, `${name}.${word}.`));
      expect(withoutHeartbeats(wire, text)).toBe(begin + words.join("") + end);
    }
  },
});

const keptAlive: Case = {
  name: "a connection serves the next call after an error of any kind",
  run: async (under) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const wire = "openai-chat";
    const { begin, whole } = rawWires[wire];
    const { model: good } = under.provider.play(says(whole));
    const { model: refuses } = under.provider.play(says(rawWires[wire].error(400, "no"), 400));
    const { model: breaks } = under.provider.play(async (out) => {
      out.head(200, { "content-type": "text/event-stream" });
      await out.write(begin);
      out.reset();
    });
    const failing: readonly (readonly [number, Ask])[] = [
      [404, { path: "/nowhere" }],
      [401, { ...callOf(wire, good), headers: headersOf(wire, "fake-wrong-key") }],
      [400, { ...callOf(wire, good), body: "{" }],
      [405, { method: "DELETE", path: "/v1/chat/completions", headers: headersOf(wire) }],
      [413, { ...callOf(wire, good), body: "x".repeat(maxBodyBytes + 1) }],
      [413, { ...callOf(wire, good), body: "x".repeat(maxBodyBytes + 1), chunked: true }],
      [400, callOf(wire, refuses)],
      [502, callOf(wire, good, { provider: "gone-compat" })],
      [200, callOf(wire, breaks, { stream: true })],
    ];
    const answers: Answer[] = [];
    for (const [status, call] of failing) {
      const failed = await ask(under.url, { ...call, agent });
      expect(`${call.path} ${failed.status}`).toBe(`${call.path} ${status}`);
      const next = await ask(under.url, { ...callOf(wire, good), agent });
      expect(next.json()).toEqual(whole);
      answers.push(failed, next);
    }
    agent.destroy();
    expect(new Set(answers.map(({ port }) => port)).size).toBe(1);
  },
};

export const together: Topic = ({ atOnce: most }: Facts) => [atOnce(most?.calls ?? 40, most?.why), keptAlive];
