// Claude's recorded answers over InvokeModel: unwrapped, they are Anthropic's own, and the anthropic-messages wire reads them.
import { describe, expect, it } from "vitest";
import type { TransportResponse } from "../../../lib/http/transport.ts";
import { readAll } from "../../../lib/http/transport.ts";
import type { ChatResponse } from "../../../lib/model/event.ts";
import { asNumber, asObject, parseJson } from "../../../lib/model/json.ts";
import { asAnthropic } from "../../../lib/providers/bedrock/invoke.ts";
import { anthropicMessages } from "../../../lib/wires/anthropic-messages/index.ts";
import { familyOf } from "../../../lib/wires/bedrock-converse/index.ts";
import { fold } from "../../../lib/wires/shared/fold.ts";
import type { Target } from "../../../lib/wires/wire.ts";
import { bodyOf, fragments, haveRecordings, recordings, type Recorded } from "../../recorded.ts";

const modelOf = (record: Recorded): string => decodeURIComponent(/\/model\/([^/]+)\//.exec(record.urlpath)?.[1] ?? "");

const target: Target = { provider: "aws", maker: "anthropic", model: "claude", dialect: { bedrockAnthropic: true } };

/** Exchanges that are not Claude's: this provider sends those models to Converse, whatever InvokeModel says. */
const isClaudes = (record: Recorded): boolean => familyOf(modelOf(record)) === "claude";

/** Exchanges that no reader of the protocol can read as they are, and why. */
const malformed: Record<string, string> = {
  "94e097fff6f9": "its body is the text `base64:…`, not the bytes which that text stands for",
};

async function* inPieces(body: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (const piece of fragments(body, size)) yield await Promise.resolve(piece);
}

const unwrapped = async (record: Recorded, size = 64): Promise<TransportResponse> =>
  asAnthropic(
    { status: record.status, headers: { "content-type": record.ctype }, body: inPieces(bodyOf(record), size) },
    "aws",
  );

const textOf = async (response: TransportResponse): Promise<string> =>
  Buffer.from(await readAll(response.body)).toString("utf8");

const read = (sse: string): ChatResponse => {
  const decoder = anthropicMessages.decodeEvents(target);
  return fold([...decoder.push(new TextEncoder().encode(sse)), ...decoder.end()]);
};

const isWhole = (response: ChatResponse): void => {
  expect(response.id).toMatch(/^msg_/);
  expect(response.parts.length).toBeGreaterThan(0);
  expect(["end", "tool-calls", "length", "stop-sequence"]).toContain(response.reason);
  expect(response.usage?.output).toBeGreaterThan(0);
};

const records = recordings("bedrock-invoke");
const named = (list: Recorded[]): [string, Recorded][] =>
  list.map((record) => [`${record.id} ${modelOf(record)}`, record]);
const streams = records.filter((record) => record.stream && record.status === 200);
const good = streams.filter((record) => isClaudes(record) && malformed[record.id] === undefined);

describe.skipIf(!haveRecordings)("bedrock-invoke, recorded", () => {
  it("accounts for every exchange", () => {
    expect(records.length).toBe(36);
    const others = records.filter((record) => !isClaudes(record) && record.status === 200);
    expect([...new Set(others.map((record) => familyOf(modelOf(record))))]).toEqual(["nova"]);
    expect(others.length).toBe(10);
  });

  it.each(named(good))("%s: the stream is Anthropic's", async (_, record) => {
    const sse = await textOf(await unwrapped(record));
    const response = read(sse);
    isWhole(response);
    const told = (name: string) =>
      asObject(parseJson(new RegExp(`event: ${name}\\ndata: (.*)\\n`).exec(sse)?.[1] ?? ""));
    const metrics = asObject(told("message_stop")?.["amazon-bedrock-invocationMetrics"]);
    expect(response.usage?.input).toBe(asNumber(metrics?.["inputTokenCount"]));
    // AWS's metrics count fewer tokens of an answer with calls (88 told, 72 counted): Anthropic's own number is the wire's.
    expect(response.usage?.output).toBe(asNumber(asObject(told("message_delta")?.["usage"])?.["output_tokens"]));
    expect(asNumber(metrics?.["outputTokenCount"])).toBeLessThanOrEqual(response.usage?.output ?? 0);
  });

  it.each(named(good))("%s: fragments of 1, 7 and 64 bytes give the same bytes (F8)", async (_, record) => {
    const whole = await textOf(await unwrapped(record, 1_000_000));
    for (const size of [1, 7, 64]) expect(await textOf(await unwrapped(record, size))).toBe(whole);
  });

  const bad = streams.filter((record) => malformed[record.id] !== undefined);
  it.each(bad.map((record) => [record.id, malformed[record.id], record] as const))(
    "%s fails: %s (F26)",
    async (_, __, record) => {
      await expect(unwrapped(record).then(textOf)).rejects.toMatchObject({ code: "upstream_error" });
    },
  );

  const whole = records.filter((record) => !record.stream && record.status === 200 && isClaudes(record));
  it.each(named(whole))("%s: the answer is Anthropic's", async (_, record) => {
    const response = await unwrapped(record);
    const decoded = anthropicMessages.decodeResponse(parseJson(await textOf(response)) ?? null, target);
    isWhole(decoded);
    expect(decoded.model).not.toBe("");
  });

  const refused = records.filter((record) => record.status !== 200);
  it.each(named(refused))("%s: the refusal wears Anthropic's envelope (F28)", async (_, record) => {
    const response = await unwrapped(record);
    const text = await textOf(response);
    const error = anthropicMessages.decodeError(response.status, response.headers, text, target);
    expect(["not_found", "model_not_found", "upstream_authentication", "authentication", "permission"]).toContain(
      error.code,
    );
    expect(parseJson(text)).toMatchObject({ type: "error" });
  });
});
