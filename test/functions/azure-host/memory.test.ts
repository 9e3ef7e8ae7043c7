// A client that reads slowly, on an answer of 300 MB: what it has not read yet waits at the upstream, not in the worker's memory.
import { once } from "node:events";
import { type IncomingMessage, request as openRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startFunctions, type TestFunctions } from "../../support/azure.ts";
import { startUpstream, type TestUpstream } from "../../support/gateway.ts";
import { key } from "../clouds/app.ts";
import { buildApp, faults, type FunctionApp } from "./bundles.ts";

const mb = 1024 * 1024;
const whole = 300 * mb;

/** Bytes of memory above what the worker had. */
type Growth = { peak: number; sample: () => Promise<void> };

const growthOf = async (functions: TestFunctions): Promise<Growth> => {
  const start = await functions.memory();
  const growth: Growth = {
    peak: 0,
    sample: async () => {
      growth.peak = Math.max(growth.peak, (await functions.memory()) - start);
    },
  };
  return growth;
};

/** Resolves when a count stands still for a while. */
const stands = async (count: () => number, each: () => Promise<void>): Promise<void> => {
  for (let before = -1, same = 0; same < 20;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    await each();
    same = count() === before && before > 0 ? same + 1 : 0;
    before = count();
  }
};

const post = async (url: string, body: string, headers: Record<string, string>): Promise<IncomingMessage> => {
  const sent = openRequest(url, { method: "POST", headers, agent: false });
  sent.end(body);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return response;
};

/** Reads to the end, with a pause after each piece. */
const readSlowly = async (response: IncomingMessage, each: () => Promise<void>): Promise<number> => {
  let read = 0;
  let pieces = 0;
  for await (const piece of response) {
    read += (piece as Buffer).length;
    pieces += 1;
    if (pieces % 50 !== 0) continue;
    await each();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return read;
};

describe("a slow client", { timeout: 120_000 }, () => {
  let upstream: TestUpstream;
  let app: FunctionApp;
  let functions: TestFunctions;
  /** What the upstream could get rid of. */
  let written = 0;
  beforeAll(async () => {
    const delta = (content: string, finish: string | null): string =>
      `data: ${JSON.stringify({
        id: "chatcmpl-1",
        object: "chat.completion.chunk",
        created: 1_780_000_000,
        model: "gpt-test",
        choices: [{ index: 0, delta: { content }, finish_reason: finish }],
      })}\n\n`;
    const piece = delta("weft ".repeat(3_200), null);
    upstream = await startUpstream(async (_request, response) => {
      const over = new AbortController();
      response.once("close", () => over.abort());
      response.writeHead(200, { "content-type": "text/event-stream" });
      while (written < whole && !response.destroyed) {
        written += piece.length;
        if (!response.write(piece)) await once(response, "drain", { signal: over.signal });
      }
      response.end(`${delta("", "stop")}data: [DONE]\n\n`);
    });
    app = await buildApp(upstream.url);
    functions = await app.start({ triggers: false });
  }, 60_000);
  afterAll(async () => {
    await app.stop();
    await upstream.stop();
  });

  test("300 MB go through a worker that grows by less than half of it", async () => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const body = (model: string): string =>
      JSON.stringify({ model, stream: true, messages: [{ role: "user", content: "Hi" }] });
    // Warm: what is loaded with the first call is no growth.
    await (
      await fetch(`${functions.url}/v1/chat/completions`, { method: "POST", headers, body: body("echo/echo") })
    ).text();
    const growth = await growthOf(functions);
    const response = await post(`${functions.url}/v1/chat/completions`, body("openai/gpt-test"), headers);
    expect(response.statusCode).toBe(200);
    // Nobody reads: the upstream is soon held up.
    await stands(() => written, growth.sample);
    const ahead = written;
    expect(ahead).toBeLessThan(whole / 3);
    const read = await readSlowly(response, growth.sample);
    expect(read).toBeGreaterThan(whole);
    process.stdout.write(
      `\nslow client: ${Math.round(read / mb)} MB read; at most ${Math.round(ahead / mb)} MB ahead; the worker grew by ${Math.round(growth.peak / mb)} MB\n`,
    );
    expect(growth.peak).toBeLessThan(150 * mb);
    expect(faults(functions)).toEqual([]);
  });

  test("the library by itself takes all that a function gives it", async () => {
    const trial = await startFunctions(new URL("./app", import.meta.url).pathname, { triggers: false });
    const growth = await growthOf(trial);
    const response = await post(`${trial.url}/flood?mb=200`, "", {});
    await stands(() => growth.peak, growth.sample);
    process.stdout.write(`\nwithout: the worker grew by ${Math.round(growth.peak / mb)} MB of 200\n`);
    expect(growth.peak).toBeGreaterThan(100 * mb);
    response.destroy();
    await trial.stop();
  });
});
