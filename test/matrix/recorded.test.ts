// Every recorded exchange on every wire: decoded, re-encoded for each of the four clients, read by that wire's official SDK; text,
// tool calls and their arguments, stop reason and usage survive, however the bytes were cut. Prints the matrix.
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../lib/model/error.ts";
import type { ChatResponse, StreamEvent } from "../../lib/model/event.ts";
import type { Json } from "../../lib/model/json.ts";
import type { ChatRequest } from "../../lib/model/request.ts";
import { clientWireIds, type WireId } from "../../lib/model/wire-id.ts";
import { clientWires, wires } from "../../lib/wires/index.ts";
import { fold, unfold } from "../../lib/wires/shared/fold.ts";
import type { ReplyContext, Target, Wire } from "../../lib/wires/wire.ts";
import { bodyOf, fragments, haveRecordings, type Recorded, recordings } from "../recorded.ts";
import { neutralSummary, readWithSdk, type Summary } from "../support/sdk.ts";

const wireOfProtocol: Record<string, WireId> = {
  "anthropic-messages": "anthropic-messages",
  "openai-chat": "openai-chat",
  "openai-responses": "openai-responses",
  gemini: "gemini-generate",
  "bedrock-converse": "bedrock-converse",
};
const makers: Record<WireId, string> = {
  "anthropic-messages": "anthropic",
  "openai-chat": "openai",
  "openai-responses": "openai",
  "gemini-generate": "google",
  "bedrock-converse": "anthropic",
};

const targetOf = (record: Recorded, wire: WireId): Target => ({
  provider: record.provider,
  maker: makers[wire],
  model: "m",
  dialect: record.provider === "xai" ? { reasoningOnTop: true } : {},
});

const request: ChatRequest = {
  model: "m",
  stream: true,
  system: [],
  messages: [],
  tools: [],
  sampling: {},
  includeUsage: true,
};
let ids = 0;
const context = (stream: boolean): ReplyContext => ({
  request: { ...request, stream },
  now: 1_780_000_000_000,
  newId: () => `id${String((ids += 1)).padStart(22, "0")}`,
});

const isStream = (record: Recorded): boolean =>
  /event-stream|eventstream/.test(record.ctype) ||
  (record.stream && record.resp_b64 !== undefined) ||
  /^\s*(?:data|event):/.test(record.resp_text ?? "");

const decodeStream = (wire: Wire, record: Recorded, size?: number): StreamEvent[] => {
  const decoder = wire.decodeEvents(targetOf(record, wire.id));
  const body = bodyOf(record);
  const events = (size === undefined ? [body] : fragments(body, size)).flatMap((piece) => decoder.push(piece));
  return [...events, ...decoder.end()];
};

const decode = (wire: Wire, record: Recorded): ChatResponse =>
  isStream(record)
    ? fold(decodeStream(wire, record))
    : wire.decodeResponse(JSON.parse(Buffer.from(bodyOf(record)).toString("utf8")) as Json, targetOf(record, wire.id));

/** Exchanges that are malformed, or that no client of the wire could read: the reason, by id. */
const explained: Record<string, string> = {
  d07b51b1efb4: "two answers in one stream",
  c89a76bb4330: "two answers in one stream",
  f2fb6ef2e8d7: "two answers in one stream",
  "735157d3e68d": "an error under 200: the wire's error is the answer",
  "62cbb25fcc07": "ends in an error event: the wire's error is the answer",
  eb9b3ecd6b16: "holds what is not JSON",
  cb5d3866f94a: "its event names are made up; the SDK's own helper throws on them, from OpenAI too",
  "8e3fe27266d4": "two items of one id; the SDK's own helper throws on them, from xAI too",
};
/** Kept by their recorder as lines of JSON, not as the bytes of an AWS event stream. */
const notAsSent = (record: Recorded): boolean =>
  record.protocol === "bedrock-converse" && (record.resp_text ?? "").startsWith("{") && isStream(record);

/** `hosted`: what the provider ran itself (code, searches) stands before the text, where the client's wire has no form for it. */
const differences = (expected: Summary, got: Summary, hosted: boolean): string[] => {
  const wrong: string[] = [];
  if (hosted && got.text.endsWith(expected.text)) got.text = expected.text;
  if (got.text !== expected.text && !(expected.refusal && got.text.endsWith(expected.text)) && !expected.refusal)
    wrong.push(`text: ${JSON.stringify(got.text.slice(0, 80))} for ${JSON.stringify(expected.text.slice(0, 80))}`);
  if (
    JSON.stringify(got.calls) !== JSON.stringify(expected.calls) &&
    !expected.calls.some((call) => typeof call.arguments === "string")
  )
    wrong.push(`calls: ${JSON.stringify(got.calls).slice(0, 120)} for ${JSON.stringify(expected.calls).slice(0, 120)}`);
  const stops = expected.refusal
    ? ["filter", "end"]
    : expected.stop === "malformed"
      ? ["malformed", "end", "filter", "tool"]
      : [expected.stop];
  if (!stops.includes(got.stop)) wrong.push(`stop: ${got.stop} for ${expected.stop}`);
  if (got.input !== expected.input || got.output !== expected.output)
    wrong.push(`usage: ${got.input}/${got.output} for ${expected.input}/${expected.output}`);
  return wrong;
};

const finished = recordings()
  .filter((record) => wireOfProtocol[record.protocol] !== undefined && record.status === 200)
  .filter((record) => !notAsSent(record))
  .filter((record) => !["queued", "in_progress"].some((status) => record.features.includes(`status:${status}`)));

describe.skipIf(!haveRecordings)("recorded traffic across wires", () => {
  const matrix = new Map<string, { passed: number; explained: number; failed: number }>();
  const failures: string[] = [];
  const count = (from: string, to: string, outcome: "passed" | "explained" | "failed"): void => {
    const cell = matrix.get(`${from} -> ${to}`) ?? { passed: 0, explained: 0, failed: 0 };
    cell[outcome] += 1;
    matrix.set(`${from} -> ${to}`, cell);
  };

  test(
    "re-encoded on each wire it reads the same by the official SDK, streamed and whole",
    { timeout: 120_000 },
    async () => {
      for (const record of finished) {
        const id = wireOfProtocol[record.protocol];
        if (id === undefined) continue;
        let response: ChatResponse;
        try {
          response = decode(wires[id], record);
        } catch (error) {
          // The wire's own error is the right answer to what is malformed; anything else is a crash.
          if (!(error instanceof GatewayError)) failures.push(`${record.id} ${id}: ${String(error)}`);
          else if (explained[record.id] === undefined)
            failures.push(`${record.id} ${id}: not decoded: ${error.message}`);
          continue;
        }
        const events = isStream(record) ? decodeStream(wires[id], record) : unfold(response);
        const expected = neutralSummary(response);
        const hosted = response.parts.some((part) => part.type === "opaque");
        for (const client of clientWireIds) {
          for (const stream of [true, false]) {
            const wire = clientWires[client];
            let wrong: string[];
            try {
              const encoder = wire.encodeEvents(context(true));
              const body = stream
                ? encoder.push(events) + encoder.end()
                : JSON.stringify(wire.encodeResponse(response, context(false)));
              const got = await readWithSdk[client](body, stream);
              wrong = differences(expected, got, hosted);
            } catch (error) {
              wrong = [String(error)];
            }
            count(
              id,
              client,
              wrong.length === 0 ? "passed" : explained[record.id] === undefined ? "failed" : "explained",
            );
            if (wrong.length > 0 && explained[record.id] === undefined)
              failures.push(
                `${record.id} ${id} -> ${client} ${stream ? "stream" : "whole"}: ${wrong.join("; ").slice(0, 400)}`,
              );
          }
        }
      }
      const rows = [...matrix].map(
        ([pair, { passed, explained: told, failed }]) =>
          `${pair.padEnd(46)} ${String(passed).padStart(5)} passed ${String(told).padStart(4)} explained ${String(failed).padStart(4)} failed`,
      );
      const reasons = Object.entries(explained).map(([id, reason]) => `${id}  ${reason}`);
      process.stdout.write(`\nrecorded exchanges by wire pair\n${rows.join("\n")}\nexplained\n${reasons.join("\n")}\n`);
      expect(failures).toEqual([]);
    },
  );

  test("fragments of 1, 7 and 64 bytes give the same events", { timeout: 120_000 }, () => {
    const wrong: string[] = [];
    for (const record of finished) {
      const id = wireOfProtocol[record.protocol];
      if (id === undefined || !isStream(record)) continue;
      const whole = meaning(decodeStream(wires[id], record));
      for (const size of [1, 7, 64]) {
        if (size === 1 && bodyOf(record).length > 60_000) continue;
        if (meaning(decodeStream(wires[id], record, size)) !== whole) wrong.push(`${record.id} ${id} by ${size}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

/** Events as text. An error's stack is not part of what it means. */
const meaning = (events: readonly StreamEvent[]): string =>
  JSON.stringify(events.map((event) => (event.type === "error" ? { type: "error", code: event.error.code } : event)));
