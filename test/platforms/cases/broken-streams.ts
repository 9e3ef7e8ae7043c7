// What goes wrong in the middle of a stream: the wire's own error, once, between events, and then a clean end (F26).
import { expect } from "vitest";
import type { ClientWireId } from "../../../lib/model/wire-id.ts";
import { providerOf, rawWires } from "../../support/wires.ts";
import { callOf, wireIds, withoutHeartbeats, wordOf } from "../calls.ts";
import { ask, open } from "../client.ts";
import type { Case, PlatformUnderTest, Topic } from "../platform.ts";
import { type Out, says } from "../provider.ts";

/** The stream of this wire, of a provider that does so when the client has the first word. */
const after = async (
  under: PlatformUnderTest,
  wire: ClientWireId,
  then: (out: Out, of: ClientWireId) => void | Promise<void>,
  of: ClientWireId = wire,
): Promise<string> => {
  const heard = Promise.withResolvers<void>();
  const { model } = under.provider.play(async (out) => {
    out.head(200, { "content-type": "text/event-stream" });
    await out.write(rawWires[of].begin);
    await heard.promise;
    await then(out, of);
  });
  const answer = await open(under.url, callOf(wire, model, { stream: true, provider: providerOf[of] }));
  expect(answer.status).toBe(200);
  await answer.until((text) => text.includes("Hello"));
  heard.resolve();
  const { text, whole } = await answer.end();
  expect(whole).toBe(true);
  expect(text).toMatch(/\n\r?\n$/);
  return withoutHeartbeats(wire, text);
};

/** The process lives on, and serves the next. */
const goesOn = async (under: PlatformUnderTest, wire: ClientWireId): Promise<void> => {
  const { model } = under.provider.play(says(rawWires[wire].whole));
  expect((await ask(under.url, callOf(wire, model))).status).toBe(200);
};

const resets = (out: Out): void => out.reset();

const onWire = (wire: ClientWireId): Case[] => {
  const { begin, end, midError, inBandError } = rawWires[wire];
  return [
    {
      name: `${wire}: the provider's connection breaks between two events`,
      run: async (under) => {
        const text = await after(under, wire, resets);
        expect(text.startsWith(begin)).toBe(true);
        expect(inBandError(text)).toBe(true);
        await goesOn(under, wire);
      },
    },
    {
      name: `${wire}: it breaks in the middle of an event, of which no part is passed`,
      run: async (under) => {
        const text = await after(under, wire, async (out) => {
          const half = wordOf(wire, "never-to-be-seen");
          await out.write(half.slice(0, half.indexOf("never-to-be-seen") + 10));
          out.reset();
        });
        expect(text.startsWith(begin)).toBe(true);
        expect(text).not.toContain("never-to-");
        expect(inBandError(text)).toBe(true);
        await goesOn(under, wire);
      },
    },
    {
      name: `${wire}: it ends too soon, as if all had been said`,
      run: async (under) => {
        const text = await after(under, wire, (out) => out.end());
        expect(text.startsWith(begin)).toBe(true);
        expect(inBandError(text)).toBe(true);
      },
    },
    {
      name: `${wire}: the provider says itself that something went wrong`,
      run: async (under) => {
        const text = await after(under, wire, (out) => out.end(midError));
        expect(text.startsWith(begin)).toBe(true);
        expect(inBandError(text)).toBe(true);
        // Once: what the provider said already is not said again.
        expect(text.split("verloaded")).toHaveLength(midError.split("verloaded").length);
      },
    },
    {
      name: `${wire}: garbage, and then the end`,
      run: async (under) => {
        const text = await after(under, wire, async (out) => {
          await out.write("data: {this is not JSON\n\n\u0000\u0001 nor this\n\n");
          out.end(end);
        });
        expect(text.startsWith(begin)).toBe(true);
        await goesOn(under, wire);
      },
    },
    {
      name: `${wire}: a provider of another wire breaks off`,
      run: async (under) => {
        const other = wireIds[(wireIds.indexOf(wire) + 1) % wireIds.length] ?? wire;
        const text = await after(under, wire, resets, other);
        expect(text).toContain("Hello");
        expect(inBandError(text)).toBe(true);
        await goesOn(under, wire);
      },
    },
  ];
};

export const brokenStreams: Topic = ({ cutsBroken }) => [
  ...wireIds.flatMap(onWire),
  {
    name: `speech that breaks off ${cutsBroken === true ? "is cut off" : `ends like a whole one: ${cutsBroken.not}`}`,
    run: async (under) => {
      const heard = Promise.withResolvers<void>();
      const { model } = under.provider.play(async (out) => {
        out.head(200, { "content-type": "audio/mpeg" });
        await out.write("ID3");
        await heard.promise;
        out.reset();
      });
      const speech = { model: `compat/${model}`, input: "Hi", voice: "any" };
      const call = callOf("openai-chat", model);
      const answer = await open(under.url, { ...call, path: "/v1/audio/speech", body: JSON.stringify(speech) });
      expect(answer.status).toBe(200);
      await answer.until((text) => text.includes("ID3"));
      heard.resolve();
      const { whole, text } = await answer.end();
      expect(text).toBe("ID3");
      expect(whole).toBe(cutsBroken !== true);
      await goesOn(under, "openai-chat");
    },
  },
];
