// Clients that are slow, and clients that leave.
import { expect } from "vitest";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClientWireId } from "../../../lib/model/wire-id.ts";
import { rawWires } from "../../support/wires.ts";
import { until } from "../../support/gateway.ts";
import { callOf, wireIds, withoutHeartbeats, wordOf } from "../calls.ts";
import { abandon, ask, open } from "../client.ts";
import type { Case, Facts, Holds, PlatformUnderTest, Topic } from "../platform.ts";
import { says } from "../provider.ts";

/** As before: plain and streamed. */
const answersAsBefore = async (under: PlatformUnderTest, wire: ClientWireId): Promise<void> => {
  const { begin, end, whole } = rawWires[wire];
  const { model } = under.provider.play(says(whole));
  expect((await ask(under.url, callOf(wire, model))).json()).toEqual(whole);
  const { model: other } = under.provider.play(async (out) => {
    out.head(200, { "content-type": "text/event-stream" });
    await out.write(begin);
    out.end(end);
  });
  const { text } = await ask(under.url, callOf(wire, other, { stream: true }));
  expect(withoutHeartbeats(wire, text)).toBe(begin + end);
};

const what = (tells: Holds): string =>
  tells === true ? "the provider is let go (F30)" : `the call runs on to its end: ${tells.not}`;

const leaves = (wire: ClientWireId, tells: Holds): Case[] => [
  {
    name: `${wire}: a client leaves in the middle of a stream; ${what(tells)}`,
    run: async (under) => {
      const left = Promise.withResolvers<void>();
      const { model, heard } = under.provider.play(async (out) => {
        out.head(200, { "content-type": "text/event-stream" });
        await out.write(rawWires[wire].begin);
        await left.promise;
        // Where nobody tells, it goes on to its end.
        if (tells === true) return;
        for (let at = 0; at < 50; at += 1) await out.write(wordOf(wire, `w${at}`));
        out.end(rawWires[wire].end);
      });
      const answer = await open(under.url, callOf(wire, model, { stream: true }));
      await answer.until((text) => text.includes("Hello"));
      answer.leave();
      left.resolve();
      expect(await heard[0]?.whole).toBe(tells !== true);
      await answersAsBefore(under, wire);
    },
  },
  ...[false, true].map((stream): Case => ({
    name: `${wire}: a client leaves before the first byte of ${stream ? "a stream" : "an answer"}; ${what(tells)}`,
    run: async (under) => {
      const left = Promise.withResolvers<void>();
      const { begin, end, whole } = rawWires[wire];
      const { model, heard } = under.provider.play(async (out) => {
        await left.promise;
        if (tells === true) return;
        out.head(200, { "content-type": stream ? "text/event-stream" : "application/json" });
        out.end(stream ? begin + end : JSON.stringify(whole));
      });
      const leave = abandon(under.url, callOf(wire, model, { stream }));
      await until(() => heard.length === 1, "the provider hears of it");
      leave();
      left.resolve();
      expect(await heard[0]?.whole).toBe(tells !== true);
      await answersAsBefore(under, wire);
    },
  })),
];

const megabyte = 1024 * 1024;
/** More than all the sockets on the way hold together, which is some 10 MB each. */
const pieces = 120;
/** Megabytes that may be gathered, where nothing is to be. */
const mostGathered = 100;

/** The client reads nothing until the provider stands still, or has said all. */
const slow = (backPressure: Facts["backPressure"]): Case => ({
  name: `${pieces} MB to a client that reads late and slowly are whole; ${
    backPressure === true
      ? "the provider waits for it, and nothing is gathered"
      : `the gateway gathers: ${backPressure.not}`
  }`,
  run: async (under) => {
    const wire = "openai-chat";
    const { begin, end } = rawWires[wire];
    const event = (at: number): string => wordOf(wire, `${at}-${"x".repeat(megabyte / 4)}`);
    let written = 0;
    let said = false;
    const { model } = under.provider.play(async (out) => {
      out.head(200, { "content-type": "text/event-stream" });
      await out.write(begin);
      for (let at = 0; at < pieces * 4; at += 1) {
        if (!(await out.write(event(at)))) return;
        written += 1;
      }
      said = true;
      out.end(end);
    });
    const before = under.peakMb?.();
    const answer = await open(under.url, callOf(wire, model, { stream: true }));
    answer.pause();
    if (backPressure === true) {
      // It stands still when nothing was written for a while: a machine that is slow makes the test weaker, and never fail.
      for (let last = -1; last !== written; await sleep(150)) last = written;
      expect(said).toBe(false);
    } else await until(() => said, "the provider has said all");
    answer.resume();
    const { text, whole } = await answer.end();
    expect(whole).toBe(true);
    const numbers = [...text.matchAll(/"(\d+)-(x+)"/g)].map(([, at, xs]) => `${at} ${xs?.length}`);
    expect(numbers).toEqual(Array.from({ length: pieces * 4 }, (_, at) => `${at} ${megabyte / 4}`));
    const after = under.peakMb?.();
    // Standing still is what proves that nothing is gathered; this, that nothing is gathered several times over.
    if (before !== undefined && after !== undefined)
      expect(after - before).toBeLessThan(backPressure === true ? mostGathered : 3 * pieces);
  },
});

/** No event is too much for a client that reads none of it, and nobody else waits for that client. */
const holdsNobodyUp: Case = {
  name: "a client that reads nothing holds nobody up, streamed bytes or events",
  run: async (under) => {
    const wire = "openai-chat";
    const sent = 60 * megabyte;
    const bytes = Buffer.alloc(megabyte, 7);
    const { model } = under.provider.play(async (out) => {
      out.head(200, { "content-type": "audio/mpeg" });
      for (let at = 0; at < sent; at += megabyte) if (!(await out.write(bytes))) return;
      out.end();
    });
    const call = callOf(wire, model);
    const body = JSON.stringify({ model: `compat/${model}`, input: "Hi", voice: "any" });
    const answer = await open(under.url, { ...call, path: "/v1/audio/speech", body });
    answer.pause();
    await answersAsBefore(under, wire);
    await answersAsBefore(under, "anthropic-messages");
    answer.resume();
    const { bytes: got, whole } = await answer.end();
    expect({ length: got.length, whole, same: got.every((byte) => byte === 7) }).toEqual({
      length: sent,
      whole: true,
      same: true,
    });
  },
};

export const leaving: Topic = ({ tellsLeaving, backPressure }) => [
  ...wireIds.flatMap((wire) => leaves(wire, tellsLeaving)),
  slow(backPressure),
  holdsNobodyUp,
];
