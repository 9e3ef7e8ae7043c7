// What a client is told beside the body.
import { expect } from "vitest";
import { rawWires } from "../../support/wires.ts";
import { callOf, headersOf, wireIds } from "../calls.ts";
import { ask, open } from "../client.ts";
import { type Case, key } from "../platform.ts";
import { says } from "../provider.ts";

const chat = "openai-chat";
const page = "https://app.example";

/** What belongs to one connection, or tells of the host behind, must not be passed on. */
const never = ["set-cookie", "server", "x-hop", "via", "alt-svc", "strict-transport-security"];

const cases: Case[] = [
  {
    name: "a request's own id is kept, and given back under both names",
    run: async (under) => {
      for (const stream of [false, true]) {
        const id = `conform.id_${stream}-1`;
        const { model } = under.provider.play(says(rawWires[chat].whole));
        const { headers } = await ask(under.url, callOf(chat, model, { stream, headers: { "X-Request-Id": id } }));
        expect(headers).toMatchObject({ "x-request-id": id, "request-id": id });
      }
    },
  },
  {
    name: "where none is given, or none that can be one, an id is made, each its own",
    run: async (under) => {
      const made = new Set<string>();
      for (const given of [undefined, "short", "has blanks in it", "x".repeat(200), "<script>alert(1)</script>"]) {
        const { headers } = await ask(under.url, {
          path: "/health/live",
          headers: given === undefined ? {} : { "x-request-id": given },
        });
        expect(headers["x-request-id"]).toMatch(/^[A-Za-z0-9._-]{8,128}$/);
        expect(headers["request-id"]).toBe(headers["x-request-id"]);
        made.add(String(headers["x-request-id"]));
      }
      expect(made.size).toBe(5);
    },
  },
  {
    name: "errors have an id too, and their bodies name the same where the wire has a place for it",
    run: async (under) => {
      const { headers, json } = await ask(under.url, {
        method: "POST",
        path: "/v1/messages",
        headers: { ...headersOf("anthropic-messages", "fake-wrong-key"), "x-request-id": "conform-error-1" },
        body: "{}",
      });
      expect(headers["x-request-id"]).toBe("conform-error-1");
      expect(json()).toMatchObject({ request_id: "conform-error-1" });
    },
  },
  ...wireIds.map((wire): Case => ({
    name: `${wire}: types of whole answers, streams and errors`,
    run: async (under) => {
      const { model } = under.provider.play(async (out, { url, text }) => {
        const stream = url.includes(":stream") || text.includes('"stream":true');
        out.head(200, { "content-type": stream ? "text/event-stream" : "application/json" });
        if (stream) await out.write(rawWires[wire].begin);
        out.end(stream ? rawWires[wire].end : JSON.stringify(rawWires[wire].whole));
      });
      const whole = await ask(under.url, callOf(wire, model));
      check(whole.headers["content-type"], "application/json");
      const stream = await ask(under.url, callOf(wire, model, { stream: true }));
      check(stream.headers["content-type"], "text/event-stream");
      check(stream.headers["cache-control"], "no-cache");
      check(stream.headers["x-accel-buffering"], "no");
      const refused = await ask(under.url, { ...callOf(wire, model), headers: headersOf(wire, "fake-wrong-key") });
      check(refused.headers["content-type"], "application/json");
    },
  })),
  {
    name: "the provider's word on rates passes; its cookies and what is between it and the gateway don't",
    run: async (under) => {
      const { model } = under.provider.play(
        says(rawWires[chat].whole, 200, {
          "x-ratelimit-remaining-requests": "41",
          "x-ratelimit-reset-tokens": "6m0s",
          "openai-processing-ms": "12",
          "openai-version": "2020-10-01",
          "x-request-id": "of-the-provider",
          "set-cookie": ["one=1; Path=/", "two=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"],
          server: "cloud",
          via: "1.1 somewhere",
          "alt-svc": 'h3=":443"',
          "strict-transport-security": "max-age=1",
          "x-hop": "1",
        }),
      );
      const { headers } = await ask(under.url, callOf(chat, model));
      expect(headers).toMatchObject({
        "x-ratelimit-remaining-requests": "41",
        "x-ratelimit-reset-tokens": "6m0s",
        "openai-processing-ms": "12",
        "openai-version": "2020-10-01",
      });
      expect(headers["x-request-id"]).not.toBe("of-the-provider");
      expect(never.filter((name) => name in headers)).toEqual([]);
    },
  },
  {
    name: "the same in front of a stream, before its first piece",
    run: async (under) => {
      const gate = Promise.withResolvers<void>();
      const { model } = under.provider.play(async (out) => {
        out.head(200, { "content-type": "text/event-stream", "x-ratelimit-limit-requests": "60", "set-cookie": "a=1" });
        await out.write(rawWires[chat].begin);
        await gate.promise;
        out.end(rawWires[chat].end);
      });
      const answer = await open(under.url, callOf(chat, model, { stream: true }));
      expect(answer.headers["x-ratelimit-limit-requests"]).toBe("60");
      expect(answer.headers["x-request-id"]).toBeDefined();
      expect(never.filter((name) => name in answer.headers)).toEqual([]);
      gate.resolve();
      expect((await answer.end()).whole).toBe(true);
    },
  },
  {
    name: "retry-after of a provider that has too much to do passes",
    run: async (under) => {
      const { model } = under.provider.play(says(rawWires[chat].error(429, "slow down"), 429, { "retry-after": "7" }));
      const { status, headers } = await ask(under.url, callOf(chat, model));
      expect(status).toBe(429);
      expect(headers["retry-after"]).toBe("7");
    },
  },
  {
    name: "an origin that is listed may read the answer, whatever it is; no other may",
    run: async (under) => {
      const of = async (origin: string, path: string, withKey = key): Promise<Record<string, unknown>> =>
        (await ask(under.url, { path, headers: { origin, authorization: `Bearer ${withKey}` } })).headers;
      for (const path of ["/v1/models", "/health", "/nowhere"]) {
        expect(await of(page, path)).toMatchObject({
          "access-control-allow-origin": page,
          "access-control-expose-headers": expect.stringContaining("x-request-id"),
          vary: expect.stringMatching(/origin/i),
        });
        expect(await of("https://other.example", path)).not.toHaveProperty("access-control-allow-origin");
      }
      expect(await of(page, "/v1/models", "fake-wrong-key")).toMatchObject({ "access-control-allow-origin": page });
    },
  },
  {
    name: "a length that is told is the body's, and no answer tells both a length and pieces",
    run: async (under) => {
      for (const path of ["/health/live", "/v1/models", "/nowhere"]) {
        const answer = await ask(under.url, { path, headers: { authorization: `Bearer ${key}` } });
        const length = answer.headers["content-length"];
        if (length !== undefined) {
          expect(Number(length)).toBe(answer.bytes.length);
          expect(answer.headers["transfer-encoding"]).toBeUndefined();
        }
        expect(answer.whole).toBe(true);
      }
    },
  },
];

const check = (given: string | string[] | undefined, expected: string): void => expect(given).toContain(expected);

export const responseHeaders = (): readonly Case[] => cases;
