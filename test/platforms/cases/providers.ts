// Providers that answer in odd ways: what the platform makes of it, for a client that has done nothing odd.
import { gzipSync } from "node:zlib";
import { expect } from "vitest";
import { rawWires } from "../../support/wires.ts";
import { callOf, withoutHeartbeats, wordOf } from "../calls.ts";
import { ask } from "../client.ts";
import type { Case } from "../platform.ts";
import { says } from "../provider.ts";

const wire = "openai-chat";
const { begin, end, whole } = rawWires[wire];

const cases: Case[] = [
  {
    name: "a redirect is no answer: nobody is sent anywhere, and nobody goes there",
    run: async (under) => {
      for (const status of [301, 307]) {
        const { model, heard } = under.provider.play((out) => {
          out.head(status, { location: `${under.provider.url}/elsewhere` });
          out.end();
        });
        for (const stream of [false, true]) {
          const answer = await ask(under.url, callOf(wire, model, { stream }));
          expect(answer.status).toBe(502);
          expect(answer.headers.location).toBeUndefined();
          rawWires[wire].envelope(answer.json());
        }
        expect(heard.map(({ url }) => url)).toEqual(["/v1/chat/completions", "/v1/chat/completions"]);
      }
    },
  },
  {
    name: "an answer without a body is none",
    run: async (under) => {
      for (const status of [200, 204]) {
        const { model } = under.provider.play((out) => {
          out.head(status);
          out.end();
        });
        for (const stream of [false, true]) {
          const answer = await ask(under.url, callOf(wire, model, { stream }));
          expect(answer.status).toBe(502);
          rawWires[wire].envelope(answer.json());
        }
      }
    },
  },
  {
    name: "a compressed answer comes out plain, and says so",
    run: async (under) => {
      const { model } = under.provider.play((out) => {
        out.head(200, { "content-type": "application/json", "content-encoding": "gzip" });
        out.end(gzipSync(JSON.stringify(whole)));
      });
      const answer = await ask(under.url, callOf(wire, model, { headers: { "accept-encoding": "gzip, br" } }));
      expect(answer.headers["content-encoding"]).toBeUndefined();
      expect(answer.json()).toEqual(whole);
      const { model: other } = under.provider.play((out) => {
        out.head(200, { "content-type": "text/event-stream", "content-encoding": "gzip" });
        out.end(gzipSync(begin + end));
      });
      const stream = await ask(under.url, callOf(wire, other, { stream: true }));
      expect(stream.headers["content-encoding"]).toBeUndefined();
      expect(withoutHeartbeats(wire, stream.text)).toBe(begin + end);
    },
  },
  {
    name: "a header of a provider that is no plain text breaks nothing",
    run: async (under) => {
      for (const value of ["caf\u00e9 \u00ff", "", "a\tb", "x".repeat(8_000)]) {
        const { model } = under.provider.play(says(whole, 200, { "x-ratelimit-note": value }));
        const answer = await ask(under.url, callOf(wire, model));
        expect(answer.status).toBe(200);
        expect(answer.json()).toEqual(whole);
      }
    },
  },
  {
    name: "a stream that is called something else, or nothing, is a stream",
    run: async (under) => {
      for (const type of [undefined, "text/plain", "application/octet-stream", "text/event-stream; charset=UTF-8"]) {
        const { model } = under.provider.play((out) => {
          out.head(200, type === undefined ? {} : { "content-type": type });
          out.end(begin + end);
        });
        const { status, text } = await ask(under.url, callOf(wire, model, { stream: true }));
        expect(status).toBe(200);
        expect(withoutHeartbeats(wire, text)).toBe(begin + end);
      }
    },
  },
  {
    name: "a whole answer where a stream was asked for becomes a stream",
    run: async (under) => {
      const { model } = under.provider.play(says(whole));
      const { headers, text } = await ask(under.url, callOf(wire, model, { stream: true }));
      expect(headers["content-type"]).toContain("text/event-stream");
      expect(text).toContain("Hello");
      expect(text).toContain("[DONE]");
    },
  },
  {
    name: "an answer of twenty megabytes, in one piece, is whole",
    run: async (under) => {
      const text = "0123456789\u00e9".repeat(1_700_000);
      const { model } = under.provider.play((out) => {
        out.head(200, { "content-type": "application/json" });
        out.end(JSON.stringify(whole).replace("Hello", text));
      });
      const answer = await ask(under.url, callOf(wire, model));
      expect(answer.whole).toBe(true);
      expect(answer.bytes.length).toBeGreaterThan(20_000_000);
      expect(answer.text.includes(text)).toBe(true);
    },
  },
  {
    name: "an event in pieces of one byte is one event",
    run: async (under) => {
      const word = Buffer.from(wordOf(wire, "\u{1f9f5}"));
      const { model } = under.provider.play(async (out) => {
        out.head(200, { "content-type": "text/event-stream" });
        await out.write(begin);
        for (const byte of word) {
          await out.write(Uint8Array.of(byte));
          await new Promise((resolve) => void setImmediate(resolve));
        }
        out.end(end);
      });
      const { text } = await ask(under.url, callOf(wire, model, { stream: true }));
      expect(withoutHeartbeats(wire, text)).toBe(begin + word.toString("utf8") + end);
    },
  },
  {
    name: "comments of a provider pass, and are no events",
    run: async (under) => {
      const { model } = under.provider.play(async (out) => {
        out.head(200, { "content-type": "text/event-stream" });
        await out.write(": OPENROUTER PROCESSING\n\n");
        await out.write(begin);
        await out.write(": ping\n\n");
        out.end(end);
      });
      const { text, whole: ended } = await ask(under.url, callOf(wire, model, { stream: true }));
      expect(ended).toBe(true);
      expect(text.replaceAll(/^:.*\n\n/gm, "")).toBe(begin + end);
    },
  },
];

export const providers = (): readonly Case[] => cases;
