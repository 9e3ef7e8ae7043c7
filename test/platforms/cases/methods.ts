// Methods, and what is not there: each wire's own envelope.
import { expect } from "vitest";
import type { ClientWireId } from "../../../lib/model/wire-id.ts";
import { rawWires } from "../../support/wires.ts";
import { headersOf, wireIds } from "../calls.ts";
import { ask } from "../client.ts";
import { type Case, key, type Topic } from "../platform.ts";

const authorized = { authorization: `Bearer ${key}` };
const page = "https://app.example";

/** A path that is a wire's own, and leads nowhere. */
const nowhere: Record<ClientWireId, string> = {
  "anthropic-messages": "/v1/messages/nowhere/at/all",
  "openai-chat": "/v1/chat/nowhere",
  "openai-responses": "/v1/responses/a/b/c/d",
  "gemini-generate": "/v1beta/nowhere",
};

/** A path that takes POST. */
const posts: Record<ClientWireId, string> = {
  "anthropic-messages": "/v1/messages",
  "openai-chat": "/v1/chat/completions",
  "openai-responses": "/v1/responses",
  "gemini-generate": "/v1beta/models/echo%2Fecho:generateContent",
};

const onWire = (wire: ClientWireId): Case[] => [
  {
    name: `${wire}: no such path is a 404 in its envelope`,
    run: async (under) => {
      for (const method of ["GET", "POST"]) {
        const answer = await ask(under.url, {
          method,
          path: nowhere[wire],
          headers: headersOf(wire),
          ...(method === "POST" ? { body: "{}" } : {}),
        });
        expect(answer.status).toBe(404);
        rawWires[wire].envelope(answer.json());
      }
    },
  },
  {
    name: `${wire}: another method is a 405 in its envelope, which tells what is allowed`,
    run: async (under) => {
      for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
        const answer = await ask(under.url, { method, path: posts[wire], headers: headersOf(wire) });
        expect(`${method} ${answer.status}`).toBe(`${method} 405`);
        expect(answer.headers["allow"]).toContain("POST");
        rawWires[wire].envelope(answer.json());
      }
    },
  },
];

const cases: Case[] = [
  {
    name: "GET",
    run: async (under) => {
      const answer = await ask(under.url, { path: "/health" });
      expect(answer.status).toBe(200);
      expect(answer.json()).toMatchObject({ status: "ok", service: "heddle" });
    },
  },
  {
    name: "HEAD is GET without its body, and ends (F55)",
    run: async (under) => {
      for (const path of ["/health", "/v1/models"]) {
        const answer = await ask(under.url, { method: "HEAD", path, headers: authorized });
        expect(answer).toMatchObject({ status: 200, text: "", whole: true });
        expect(answer.headers["content-type"]).toContain("application/json");
      }
      const refused = await ask(under.url, { method: "HEAD", path: "/v1/models" });
      expect(refused).toMatchObject({ status: 401, text: "", whole: true });
      const missing = await ask(under.url, { method: "HEAD", path: "/nowhere", headers: authorized });
      expect(missing).toMatchObject({ status: 404, text: "", whole: true });
    },
  },
  {
    name: "OPTIONS of a listed origin: what it may send, no key asked, no body, and it ends (F55)",
    run: async (under) => {
      const answer = await ask(under.url, {
        method: "OPTIONS",
        path: "/v1/chat/completions",
        headers: {
          origin: page,
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization, content-type, x-stainless-os",
        },
      });
      expect(answer).toMatchObject({ status: 204, text: "", whole: true });
      expect(answer.headers).toMatchObject({
        "access-control-allow-origin": page,
        "access-control-allow-methods": expect.stringContaining("POST"),
        "access-control-allow-headers": expect.stringContaining("authorization"),
        "access-control-max-age": "600",
      });
    },
  },
  {
    name: "OPTIONS of another origin allows nothing",
    run: async (under) => {
      const answer = await ask(under.url, {
        method: "OPTIONS",
        path: "/v1/chat/completions",
        headers: { origin: "https://other.example", "access-control-request-method": "POST" },
      });
      expect(answer).toMatchObject({ status: 204, text: "" });
      expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
    },
  },
  {
    name: "OPTIONS that is no preflight is a method like any other",
    run: async (under) => {
      const answer = await ask(under.url, { method: "OPTIONS", path: "/v1/models", headers: authorized });
      expect(answer.status).toBe(405);
      expect(answer.headers["allow"]).toContain("GET");
    },
  },
  {
    name: "a method that nobody knows is refused",
    run: async (under) => {
      const answer = await ask(under.url, { method: "PROPFIND", path: "/v1/models", headers: authorized });
      expect([404, 405]).toContain(answer.status);
      expect(answer.whole).toBe(true);
    },
  },
];

const kept: Case = {
  name: "POST, GET, PATCH and DELETE of a thread",
  run: async (under) => {
    const path = "/v1/threads/methods";
    const headers = { ...authorized, "content-type": "application/json" };
    const made = await ask(under.url, { path: "/v1/threads", headers, body: JSON.stringify({ id: "methods" }) });
    expect(made.status).toBe(201);
    const patch = { method: "PATCH", path, headers, body: JSON.stringify({ title: "M\u00e9thodes" }) };
    expect((await ask(under.url, patch)).status).toBe(200);
    expect((await ask(under.url, { path, headers })).json()).toMatchObject({ id: "methods", title: "M\u00e9thodes" });
    const deleted = await ask(under.url, { method: "DELETE", path, headers: authorized });
    expect(deleted.status).toBeLessThan(300);
    expect(deleted.whole).toBe(true);
    const gone = await ask(under.url, { path, headers });
    expect(gone.status).toBe(404);
    expect(gone.headers["content-type"]).toContain("application/problem+json");
  },
};

const notKept = (why: string): Case => ({
  name: `threads are not kept: ${why}`,
  run: async (under) => {
    const answer = await ask(under.url, { path: "/v1/threads/methods", headers: authorized });
    expect(answer.status).toBe(501);
  },
});

export const methods: Topic = ({ stores }) => [
  ...cases,
  stores === true ? kept : notKept(stores.not),
  ...wireIds.flatMap(onWire),
];
