// Every recorded exchange of the four wires through a real gateway, client and provider on the same wire: the provider gets the
// client's bytes with another model name, the client gets the provider's bytes. Prints how many.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../lib/model/json.ts";
import type { ClientWireId } from "../../lib/model/wire-id.ts";
import { bodyOf, haveRecordings, type Recorded, recordings } from "../recorded.ts";
import { startGateway, startUpstream, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { providersYaml, rawWires } from "../support/wires.ts";

const protocols: Record<string, { wire: ClientWireId; provider: string; model: string }> = {
  "anthropic-messages": { wire: "anthropic-messages", provider: "anthropic", model: "claude-up" },
  "openai-chat": { wire: "openai-chat", provider: "compat", model: "compat-up" },
  "openai-responses": { wire: "openai-responses", provider: "openai", model: "gpt-up" },
  gemini: { wire: "gemini-generate", provider: "gemini", model: "gemini-up" },
};

/** Exchanges that don't come back as they were, and why. */
const explained: Record<string, string> = {};

const stateful = ["store", "previous_response_id", "conversation", "background", "thread"];

/** The request as its client would send it here, less what asks for state; undefined where none was recorded. */
const requestOf = (record: Recorded, model: string): string | undefined => {
  if (record.req === null) return undefined;
  const body: JsonObject = { ...record.req };
  for (const name of stateful) delete body[name];
  if ("model" in body) body["model"] = model;
  // Without it the gateway asks for usage in the client's place and keeps the extra frame to itself.
  if (record.protocol === "openai-chat" && body["stream"] === true) body["stream_options"] = { include_usage: true };
  return JSON.stringify(body);
};

const streams = (record: Recorded): boolean =>
  record.protocol === "gemini" ? record.urlpath.includes("streamGenerateContent") : record.req?.["stream"] === true;

describe.skipIf(!haveRecordings)("recorded traffic on its own wire", () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  beforeAll(async () => {
    upstream = await startUpstream();
    gateway = await startGateway(providersYaml(upstream.url), {}, (config) => {
      config.retry.attempts = 1;
    });
  });
  afterAll(async () => {
    await gateway.stop();
    await upstream.stop();
  });

  test("bytes both ways", { timeout: 120_000 }, async () => {
    const wrong: string[] = [];
    const counts = new Map<string, { passed: number; explained: number; skipped: number }>();
    for (const record of recordings()) {
      const way = protocols[record.protocol];
      if (way === undefined) continue;
      const count = counts.get(way.wire) ?? { passed: 0, explained: 0, skipped: 0 };
      counts.set(way.wire, count);
      const sent = requestOf(record, `${way.provider}/${way.model}`);
      if (sent === undefined || record.status !== 200) {
        count.skipped += 1;
        continue;
      }
      const answer = bodyOf(record);
      upstream.requests.length = 0;
      upstream.answer((_request, response) => {
        response.writeHead(200, { "content-type": record.ctype });
        response.end(answer);
      });
      const raw = rawWires[way.wire];
      const reply = await fetch(`${gateway.url}${raw.path(`${way.provider}/${way.model}`, streams(record))}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...raw.headers },
        body: sent,
      });
      const got = Buffer.from(await reply.arrayBuffer());
      const seen = upstream.requests[0]?.body;
      const expected = sent.replace(JSON.stringify(`${way.provider}/${way.model}`), JSON.stringify(way.model));
      const problems = [
        ...(reply.status === 200 ? [] : [`status ${reply.status}: ${got.toString("utf8").slice(0, 200)}`]),
        ...(seen === expected ? [] : [`request: ${(seen ?? "none").slice(0, 150)} for ${expected.slice(0, 150)}`]),
        ...(got.equals(Buffer.from(answer))
          ? []
          : [
              `answer: ${got.length} bytes for ${answer.length}: ...${JSON.stringify(got.toString("utf8").slice(-200))}`,
            ]),
      ];
      if (problems.length === 0) count.passed += 1;
      else if (explained[record.id] !== undefined) count.explained += 1;
      else wrong.push(`${record.id} ${way.wire}: ${problems.join("; ")}`);
    }
    const rows = [...counts].map(
      ([wire, { passed, explained: known, skipped }]) =>
        `${wire.padEnd(20)} ${String(passed).padStart(5)} identical ${String(known).padStart(3)} explained ${String(skipped).padStart(4)} not sent`,
    );
    process.stdout.write(`\nrecorded exchanges passed through\n${rows.join("\n")}\n`);
    expect(wrong).toEqual([]);
  });
});
