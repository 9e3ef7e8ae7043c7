// Many streams at once, and readers that don't read.
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { clientWireIds, type ClientWireId } from "../../../lib/model/wire-id.ts";
import { startGateway, startUpstream, type TestGateway, type TestUpstream, until } from "../../support/gateway.ts";
import { providerOf, providersYaml, rawWires } from "../../support/wires.ts";

let upstream: TestUpstream;
let gateway: TestGateway;
beforeEach(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(providersYaml(upstream.url));
});
afterEach(async () => {
  await gateway.stop();
  await upstream.stop();
});

describe.each([
  ["passed", "openai-chat"],
  ["translated", "anthropic-messages"],
] as const)("%s streams", (_name, provider: ClientWireId) => {
  test("a thousand at once in one process all complete (F46)", { timeout: 60_000 }, async () => {
    const count = 1_000;
    const raw = rawWires[provider];
    // None ends before all have begun.
    const all = Promise.withResolvers<void>();
    let begun = 0;
    upstream.answer(async (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(raw.begin);
      begun += 1;
      if (begun === count) all.resolve();
      await all.promise;
      response.end(raw.end);
    });
    const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
    const model = `${providerOf[provider]}/up`;
    const body = JSON.stringify(rawWires["openai-chat"].body(model, true));
    const { port } = new URL(gateway.url);
    const one = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const request = httpRequest(
          { port, host: "127.0.0.1", path: "/v1/chat/completions", method: "POST", agent },
          (response: IncomingMessage) => {
            let text = "";
            response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
            response.on("end", () => resolve(text)).on("error", reject);
          },
        );
        request.on("error", reject).end(body);
      });
    const texts = await Promise.all(Array.from({ length: count }, one));
    expect(begun).toBe(count);
    for (const text of texts) {
      expect(text).toContain('"content":"Hello"');
      expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    }
    await until(() => gateway.logs.length === count, "a record of each");
    expect(gateway.logs.filter((line) => line["errorCode"] !== undefined)).toEqual([]);
  });
});

/** The last frame of what begins a stream, with `word` in the place of its own. */
const deltaOf = (begin: string, word: string): string =>
  (begin.split(/(?<=\r?\n\r?\n)/).at(-1) ?? "").replace("Hello", word);

describe.each(clientWireIds)("client %s", (client) => {
  test.each([client, client === "openai-chat" ? "anthropic-messages" : "openai-chat"] as const)(
    "a caller that does not read stops the read from a provider of %s, and gets all when it reads again",
    async (provider) => {
      const raw = rawWires[provider];
      const word = "x".repeat(16 * 1024);
      const delta = deltaOf(raw.begin, word);
      const frames = 1_500;
      let sent = 0;
      let blocked = false;
      upstream.answer(async (_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write(raw.begin);
        for (; sent < frames; sent += 1) {
          if (response.write(delta)) continue;
          const drained = new Promise<"drained">((resolve) => response.once("drain", () => resolve("drained")));
          const still = await Promise.race([
            drained,
            new Promise<"still">((resolve) => setTimeout(() => resolve("still"), 300)),
          ]);
          if (still === "still") blocked = true;
          await drained;
        }
        response.end(raw.end);
      });
      const { port, hostname } = new URL(gateway.url);
      const socket = connect(Number(port), hostname);
      const model = `${providerOf[provider]}/up`;
      const body = JSON.stringify(rawWires[client].body(model, true));
      socket.pause();
      socket.write(
        `POST ${rawWires[client].path(model, true)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
      // 24 MB would pass in no time if nothing held them back.
      await until(() => blocked || sent === frames, "the upstream is held back");
      expect(blocked).toBe(true);
      expect(sent).toBeLessThan(frames);
      let size = 0;
      let tail = "";
      socket.on("data", (chunk: Buffer) => {
        size += chunk.length;
        tail = (tail + chunk.toString("latin1")).slice(-2_000);
      });
      socket.resume();
      await new Promise((resolve) => socket.once("close", resolve));
      expect(sent).toBe(frames);
      expect(size).toBeGreaterThan(frames * word.length);
      expect(rawWires[client].inBandError(tail)).toBe(false);
    },
  );
});
