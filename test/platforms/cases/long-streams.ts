// Long streams, odd ones, and the gateway's own.
import { expect } from "vitest";
import type { ClientWireId } from "../../../lib/model/wire-id.ts";
import { rawWires } from "../../support/wires.ts";
import { callOf, withoutHeartbeats, wordOf } from "../calls.ts";
import { ask, open } from "../client.ts";
import { type Case, key, type Topic } from "../platform.ts";
import { streams } from "../provider.ts";

const count = 20_000;

const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "up", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

/** So many events of a chat, in writes of a hundred. */
const manyWords = (): string[] => {
  const pieces: string[] = [];
  for (let at = 0; at < count; at += 100)
    pieces.push(Array.from({ length: 100 }, (_, more) => chunk({ content: ` w${at + more}` })).join(""));
  return pieces;
};

const long = (client: ClientWireId): Case => ({
  name: `${count} events are whole and in order, ${client === "openai-chat" ? "passed" : "translated"}`,
  run: async (under) => {
    const { begin, end } = rawWires["openai-chat"];
    const { model } = under.provider.play(streams(begin, ...manyWords(), end));
    const call = callOf(client, model, { stream: true, provider: "compat" });
    const { text, whole } = await ask(under.url, call);
    expect(whole).toBe(true);
    const words = [...text.matchAll(/" w(\d+)"/g)].map(([, number]) => Number(number));
    expect(words).toHaveLength(count);
    expect(words.every((number, at) => number === at)).toBe(true);
    if (client === "openai-chat") expect(withoutHeartbeats(client, text)).toBe(begin + manyWords().join("") + end);
  },
});

const cases: Case[] = [
  long("openai-chat"),
  long("anthropic-messages"),
  {
    name: "one event of two megabytes passes whole",
    run: async (under) => {
      const { begin, end } = rawWires["openai-chat"];
      const word = chunk({ content: "\u00e9".repeat(1_000_000) });
      const { model } = under.provider.play(streams(begin, word, end));
      const { text, whole } = await ask(under.url, callOf("openai-chat", model, { stream: true }));
      expect(whole).toBe(true);
      expect(withoutHeartbeats("openai-chat", text) === begin + word + end).toBe(true);
    },
  },
  {
    name: "a stream that ends without usage ends well",
    run: async (under) => {
      const script = chunk({ role: "assistant", content: "Hello" }) + chunk({}, "stop") + "data: [DONE]\n\n";
      const { model } = under.provider.play(streams(script));
      const { text, whole } = await ask(under.url, callOf("openai-chat", model, { stream: true }));
      expect(whole).toBe(true);
      expect(withoutHeartbeats("openai-chat", text)).toBe(script);
      const { model: other } = under.provider.play(streams(script));
      const translated = await ask(
        under.url,
        callOf("anthropic-messages", other, { stream: true, provider: "compat" }),
      );
      expect(translated.text).toContain("message_stop");
      expect(rawWires["anthropic-messages"].inBandError(translated.text)).toBe(false);
    },
  },
  {
    name: "a stream that says nothing, and ends, ends well",
    run: async (under) => {
      const script = `${chunk({ role: "assistant", content: "" })}${chunk({}, "stop")}data: [DONE]\n\n`;
      const { model } = under.provider.play(streams(script));
      const { text, whole } = await ask(under.url, callOf("openai-chat", model, { stream: true }));
      expect(whole).toBe(true);
      expect(withoutHeartbeats("openai-chat", text)).toBe(script);
    },
  },
  {
    name: "Gemini's array: each element as it comes, and one JSON text in the end",
    run: async (under) => {
      const wire = "gemini-generate";
      const { begin, end } = rawWires[wire];
      const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const { model } = under.provider.play(async (out) => {
        out.head(200, { "content-type": "text/event-stream" });
        await out.write(begin);
        await gates[0]?.promise;
        await out.write(wordOf(wire, "weft"));
        await gates[1]?.promise;
        out.end(end);
      });
      const call = callOf(wire, model, { stream: true });
      const answer = await open(under.url, { ...call, path: call.path.replace("?alt=sse", "") });
      await answer.until((text) => text.includes("Hello"));
      gates[0]?.resolve();
      await answer.until((text) => text.includes("weft"));
      gates[1]?.resolve();
      expect((await answer.end()).json()).toHaveLength(3);
    },
  },
];

const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };

const native: Case[] = [
  {
    name: "a run's own events come one by one, kept alive in silence (F9), and again from any of them",
    run: async (under) => {
      const words = ["warp", "shed", "pick"];
      const gates = words.map(() => Promise.withResolvers<void>());
      const { begin, end } = rawWires["openai-chat"];
      const { model } = under.provider.play(async (out) => {
        out.head(200, { "content-type": "text/event-stream" });
        await out.write(begin);
        for (const [at, word] of words.entries()) {
          await gates[at]?.promise;
          await out.write(wordOf("openai-chat", word));
        }
        out.end(end);
      });
      const thread = `of-${model}`;
      const runs = `/v1/threads/${thread}/runs`;
      await ask(under.url, { path: "/v1/threads", headers, body: JSON.stringify({ id: thread }) });
      const body = JSON.stringify({ model: `compat/${model}`, input: "Hi", stream: true, run_id: "one" });
      const answer = await open(under.url, { path: runs, headers, body });
      expect(answer.status).toBe(200);
      await answer.until((text) => text.includes("Hello"));
      for (const [at, word] of words.entries()) {
        expect(answer.text()).not.toContain(word);
        await answer.until((text) => text.endsWith(": keep-alive\n\n"));
        gates[at]?.resolve();
        await answer.until((text) => text.includes(word));
      }
      const { text, whole } = await answer.end();
      expect(whole).toBe(true);
      const live = text.replaceAll(": keep-alive\n\n", "");
      const again = await ask(under.url, { path: `${runs}/one/events`, headers });
      expect(again.text.replaceAll(": keep-alive\n\n", "")).toBe(live);
      const ids = [...live.matchAll(/^id: (.*)$/gm)].map(([, id]) => id ?? "");
      const middle = ids[2] ?? "";
      const rest = await ask(under.url, {
        path: `${runs}/one/events`,
        headers: { ...headers, "last-event-id": middle },
      });
      expect(live.endsWith(rest.text.replaceAll(": keep-alive\n\n", ""))).toBe(true);
      expect(rest.text).toContain("shed");
      expect(rest.text).not.toContain(`id: ${middle}\n`);
    },
  },
];

const notKept = (why: string): Case => ({
  name: `no run has events of its own: ${why}`,
  run: async (under) => {
    expect((await ask(under.url, { path: "/v1/threads/a/runs/b/events", headers })).status).toBe(501);
  },
});

export const longStreams: Topic = ({ stores }) => [...cases, ...(stores === true ? native : [notKept(stores.not)])];
