// Streams: each piece leaves as it comes, silence is kept alive, nothing is lost, nothing is gathered.
import { expect } from "vitest";
import type { ClientWireId } from "../../../lib/model/wire-id.ts";
import { rawWires } from "../../support/wires.ts";
import { callOf, heartbeats, wireIds, withoutHeartbeats, wordOf } from "../calls.ts";
import { open } from "../client.ts";
import type { Case, PlatformUnderTest, Topic } from "../platform.ts";
import { streams } from "../provider.ts";

const words = ["warp", "weft", "shed", "pick", "beat"];

/** A stream that says nothing until it has had so many heartbeats, and is whole in the end. */
export const staysAlive = async (under: PlatformUnderTest, wire: ClientWireId, beats: number): Promise<void> => {
  const gate = Promise.withResolvers<void>();
  const { begin, end } = rawWires[wire];
  const { model } = under.provider.play(async (out) => {
    out.head(200, { "content-type": "text/event-stream" });
    await out.write(begin);
    await gate.promise;
    out.end(end);
  });
  const answer = await open(under.url, callOf(wire, model, { stream: true }));
  await answer.until((text) => heartbeats(wire, text) >= beats);
  gate.resolve();
  const { text } = await answer.end();
  expect(withoutHeartbeats(wire, text)).toBe(begin + end);
};

const perWire = (wire: ClientWireId): Case[] => [
  {
    name: `${wire}: the first piece is there before the second exists, and so on to the last`,
    run: async (under) => {
      // The provider says a word when the client has the one before: what is held back anywhere never ends.
      const gates = words.map(() => Promise.withResolvers<void>());
      const { model } = under.provider.play(async (out) => {
        out.head(200, { "content-type": "text/event-stream" });
        await out.write(rawWires[wire].begin);
        for (const [index, word] of words.entries()) {
          await gates[index]?.promise;
          await out.write(wordOf(wire, word));
        }
        out.end(rawWires[wire].end);
      });
      const answer = await open(under.url, callOf(wire, model, { stream: true }));
      expect(answer.status).toBe(200);
      await answer.until((text) => text.includes("Hello"));
      for (const [index, word] of words.entries()) {
        expect(answer.text()).not.toContain(word);
        gates[index]?.resolve();
        await answer.until((text) => text.includes(word));
      }
      const { text, whole, headers } = await answer.end();
      expect(whole).toBe(true);
      expect(headers["content-type"]).toContain("text/event-stream");
      const { begin, end } = rawWires[wire];
      expect(withoutHeartbeats(wire, text)).toBe(begin + words.map((word) => wordOf(wire, word)).join("") + end);
    },
  },
  {
    name: `${wire}: a silent stream gets heartbeats, between events alone (F9)`,
    run: (under) => staysAlive(under, wire, 3),
  },
  {
    name: `${wire}: what comes in odd pieces goes out whole and in order`,
    run: async (under) => {
      const { begin, end } = rawWires[wire];
      const script = Buffer.from(begin + words.map((word) => wordOf(wire, `${word} \u{1f9f5}`)).join("") + end);
      const pieces: Uint8Array[] = [];
      for (let at = 0; at < script.length; at += 37) pieces.push(script.subarray(at, at + 37));
      const { model } = under.provider.play(streams(...pieces));
      const { text } = await (await open(under.url, callOf(wire, model, { stream: true }))).end();
      expect(withoutHeartbeats(wire, text)).toBe(script.toString("utf8"));
    },
  },
];

export const streaming: Topic = () => wireIds.flatMap(perWire);
