// How runs on Azure Functions outlive their answers: the host's time is over, the process is killed, the process is told to end.
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestFunctions } from "../../support/azure.ts";
import { until } from "../../support/gateway.ts";
import { key, keysYaml } from "../clouds/app.ts";
import { call, json, type Json, newThread } from "../clouds/calls.ts";
import { buildApp, faults, type FunctionApp, linesOf } from "./bundles.ts";
import { hurried, startStores, type Stores } from "./stores.ts";

/** About five seconds of words; answers end after three. */
const long = "[[pace 100]] [[long 50]] Say it slowly";
const messages = [{ role: "user" as const, content: long }];

/** Each wire's own way to a thread, and how a whole stream of it ends. */
const wires: Record<string, { path: string; body: object; end: RegExp }> = {
  "openai-chat": {
    path: "/v1/chat/completions",
    body: { model: "echo/echo", stream: true, messages },
    end: /data: \[DONE\]\n\n$/,
  },
  "openai-responses": {
    path: "/v1/responses",
    body: { model: "echo/echo", stream: true, input: long },
    end: /event: response\.completed\ndata: .+\n\n$/,
  },
  "anthropic-messages": {
    path: "/v1/messages",
    body: { model: "echo/echo", stream: true, max_tokens: 500, messages },
    end: /event: message_stop\ndata: .+\n\n$/,
  },
  "gemini-generate": {
    path: "/v1beta/models/echo%2Fecho:streamGenerateContent?alt=sse",
    body: { contents: [{ role: "user", parts: [{ text: long }] }] },
    end: /"finishReason":"STOP".+\r?\n\r?\n$/,
  },
};

describe("runs outlive answers", { timeout: 60_000 }, () => {
  let stores: Stores;
  let app: FunctionApp;
  let short: TestFunctions;
  let other: TestFunctions;

  beforeAll(async () => {
    stores = await startStores();
    app = await buildApp("http://127.0.0.1:9", stores.env, `${keysYaml}threads: { leaseMs: 2000 }\n`);
    [short, other] = await Promise.all([
      app.start({ hostJson: hurried, triggers: false, env: { HEDDLE_HTTP_SECONDS: "3" } }),
      app.start({ hostJson: hurried, triggers: false }),
    ]);
  }, 120_000);
  afterAll(async () => {
    await app.stop();
    await stores.stop();
  });

  describe("the host's time", () => {
    test.concurrent.each(Object.keys(wires))(
      "%s: the wire's own end tells the way to the rest, and that goes on where it broke off",
      async (wire) => {
        const { path, body, end } = wires[wire] ?? { path: "", body: {}, end: /^$/ };
        await newThread(other, wire);
        const response = await call(short, "POST", path, body, { "heddle-thread": wire });
        const run = response.headers.get("heddle-run");
        // A body that was cut would reject.
        let text = await response.text();
        expect(text).not.toMatch(end);
        const pieces: string[] = [];
        for (let parts = 0; !end.test(text); parts += 1) {
          const way = /GET (\/v1\/[^\s"\\]+)/.exec(text)?.[1] ?? "";
          expect(way, text.slice(-500)).toContain(`/v1/threads/${wire}/runs/${run}/events?`);
          expect(parts).toBeLessThan(20);
          pieces.push(text);
          text = await (await call(short, "GET", way)).text();
        }
        expect((await json(other, "GET", `/v1/threads/${wire}/runs/${run}`))["status"]).toBe("completed");
        // Each piece without its end: the error, and before it what Anthropic's wire closes.
        const error =
          /(?:event: content_block_stop\n[^\n]+\n\n)?(?:event: error\n)?data: [^\n]*The time for this answer[^]*$/;
        const joined = [...pieces.map((piece) => piece.replace(error, "")), text];
        const whole = await (await call(other, "GET", `/v1/threads/${wire}/runs/${run}/events?wire=${wire}`)).text();
        expect(joined.join("")).toBe(whole);
      },
    );

    test.concurrent("a run's own events: by Last-Event-ID, as a browser's EventSource asks", async () => {
      await newThread(other, "native");
      const path = "/v1/threads/native/runs";
      const first = await call(short, "POST", path, { model: "echo/echo", input: long, stream: true, run_id: "slow" });
      let text = await first.text();
      const ids: number[] = [];
      for (let parts = 0; ; parts += 1) {
        ids.push(...[...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id)));
        if (text.includes("event: response-end")) break;
        expect(text).toContain("event: error");
        expect(parts).toBeLessThan(20);
        const again = await call(short, "GET", `${path}/slow/events`, undefined, {
          "last-event-id": String(ids.at(-1)),
        });
        text = await again.text();
      }
      expect(ids).toEqual(ids.map((_, at) => at + 1));
    });

    test.concurrent("the official SDKs have an error of their own, with what came before", async () => {
      const heard: string[] = [];
      const openai = new OpenAI({ baseURL: `${short.url}/v1`, apiKey: key, maxRetries: 0 });
      const byOpenai = async (): Promise<void> => {
        const stream = await openai.chat.completions.create({ model: "echo/echo", stream: true, messages });
        for await (const chunk of stream) heard.push(chunk.choices[0]?.delta.content ?? "");
      };
      const anthropic = new Anthropic({ baseURL: short.url, apiKey: key, maxRetries: 0 });
      const asked = anthropic.messages.stream({ model: "echo/echo", max_tokens: 500, messages });
      const gemini = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: short.url } });
      const byGemini = async (): Promise<void> => {
        const stream = await gemini.models.generateContentStream({ model: "echo/echo", contents: long });
        for await (const chunk of stream) heard.push(chunk.text ?? "");
      };
      await Promise.all([
        expect(byOpenai()).rejects.toBeInstanceOf(OpenAI.APIError),
        expect(asked.finalMessage()).rejects.toBeInstanceOf(Anthropic.APIError),
        expect(byGemini()).rejects.toThrow("The time for this answer is over"),
      ]);
      expect(heard.join("").length).toBeGreaterThan(10);
    });
  });

  test("a process that is killed: the sweeper ends its run, and the thread goes on", async () => {
    await newThread(other, "killed");
    const path = "/v1/threads/killed/runs";
    const asked = { model: "echo/echo", input: "[[pace 100]] [[long 400]]", stream: true, run_id: "lost" };
    const doomed = await app.start({ hostJson: hurried, triggers: false });
    const response = await call(doomed, "POST", path, asked);
    await response.body?.getReader().read();
    await doomed.kill();
    expect((await json(other, "GET", `${path}/lost`))["status"]).toBe("in_progress");
    let status: unknown;
    for (let tries = 0; tries < 60 && status !== "expired"; tries += 1) {
      expect((await other.run("sweeper")).error).toBeUndefined();
      ({ status } = await json(other, "GET", `${path}/lost`));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(status).toBe("expired");
    // The host has a new worker by now.
    const next = await call(doomed, "POST", path, { model: "echo/echo", input: "again" });
    expect(next.status).toBe(200);
    expect(((await next.json()) as Json)["status"]).toBe("completed");
  });

  test("a process that is killed while it works a job: the message comes again, and is done with", async () => {
    await newThread(other, "job");
    const path = "/v1/threads/job/runs";
    const queue = await stores.createQueue("heddle-slow");
    const env = { HEDDLE_QUEUE: "heddle-slow" };
    const working = await app.start({ hostJson: hurried, leaseMs: 3_000, env });
    const asked = { model: "echo/echo", input: "[[pace 50]] [[long 40]]", background: true, run_id: "again" };
    expect((await call(working, "POST", path, asked)).status).toBe(202);
    await until(() => working.logs.some((line) => line.startsWith("Executing 'Functions.worker'")), "it works");
    await working.kill();
    const executed = (): number => working.logs.filter((line) => line.startsWith("Executed 'Functions.worker'")).length;
    let status: unknown;
    for (let tries = 0; tries < 100 && status !== "expired" && status !== "completed"; tries += 1) {
      ({ status } = await json(other, "GET", `${path}/again`));
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(status).toMatch(/expired|completed/);
    await until(() => executed() >= 2, "the message is done with");
    await expect.poll(async () => (await queue.getProperties()).approximateMessagesCount).toBe(0);
    const usage = await json(other, "GET", "/v1/threads/job/usage");
    expect((usage["data"] as Json[]).length).toBe(1);
  });

  test("a process that is told to end: its streams end well, its runs are stored, its usage is written", async () => {
    await newThread(other, "ending");
    const path = "/v1/threads/ending/runs";
    const leaving = await app.start({ hostJson: hurried, triggers: false });
    const before = await leaving.pid();
    const asked = { model: "echo/echo", input: "[[pace 100]] [[long 400]]", stream: true, run_id: "cut" };
    const [run, plain] = await Promise.all([
      call(leaving, "POST", path, asked),
      call(leaving, "POST", "/v1/messages", {
        model: "echo/echo",
        stream: true,
        max_tokens: 999,
        messages: [{ role: "user", content: "[[pace 100]] [[long 400]]" }],
      }),
    ]);
    const texts = Promise.all([run.text(), plain.text()]);
    await until(() => leaving.logs.filter((line) => line.startsWith("Executing ")).length === 2, "both run");
    await leaving.terminate();
    const [events, stream] = await texts;
    expect(events).toContain("event: error");
    expect(stream).toMatch(/event: error\ndata: .+\n\n$/);
    expect((await json(other, "GET", `${path}/cut`))["status"]).toBe("failed");
    const usage = await json(other, "GET", "/v1/threads/ending/usage");
    expect((usage["data"] as Json[]).length).toBe(1);
    expect((await call(leaving, "GET", "/health")).status).toBe(200);
    expect(await leaving.pid()).not.toBe(before);
    expect(linesOf(leaving).filter((line) => line["message"] === "call").length).toBe(2);
  });

  test("the host saw no fault in all of this", () => {
    expect([short, other].flatMap(faults)).toEqual([]);
  });
});
