// What a call may use at most, told before it goes out: from its bytes where they will do, from its decoded form where it has media.
import { memberText } from "../http/scan.ts";
import { parseJson } from "../model/json.ts";
import { asNumber, asObject } from "../model/json.ts";
import type { Demand, DemandTarget } from "../limits/types.ts";
import type { ReadCall } from "./call.ts";
import { estimateInputTokens } from "./estimate.ts";

/** Bytes of JSON that make at least one token: words have four letters a token and more, digits and symbols hardly fewer than two. */
const bytesPerToken = 2;
/** Estimates of decoded requests are within about 30 % of the truth. */
const margin = 1.3;

/** Fields whose bytes say nothing of their tokens. */
const mediaMarks = ["base64", "image", "inline", "file", "audio", "video"];

const mostInput = ({ call, request }: ReadCall): number => {
  const bytes = Buffer.from(call.body.buffer, call.body.byteOffset, call.body.byteLength);
  const byBytes = Math.ceil(bytes.length / bytesPerToken);
  if (call.request === undefined && !mediaMarks.some((mark) => bytes.includes(mark))) return byBytes;
  try {
    return Math.ceil(estimateInputTokens(request()) * margin);
  } catch {
    // What can't be decoded is refused where it must be; a body that passes as it is may still be counted.
    return byBytes;
  }
};

const outputFields = ["max_completion_tokens", "max_output_tokens", "max_tokens"];

/** A number of the body or, on Gemini's wire, of its `generationConfig`. */
const numberIn = (read: ReadCall, names: readonly string[], gemini: string): number | undefined => {
  const { scan, call } = read;
  if (scan === undefined) return undefined;
  if (call.wire.id === "gemini-generate") {
    const text = memberText(scan, "generationConfig") ?? memberText(scan, "generation_config");
    const config = text === undefined ? undefined : asObject(parseJson(text));
    return (
      asNumber(config?.[gemini]) ??
      asNumber(config?.[gemini.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)])
    );
  }
  for (const name of names) {
    const text = memberText(scan, name);
    const value = text === undefined ? undefined : asNumber(parseJson(text));
    if (value !== undefined) return value;
  }
  return undefined;
};

/** A body that no scan could take is decoded. */
const decoded = <T>(read: ReadCall, of: (request: ReturnType<ReadCall["request"]>) => T): T | undefined => {
  if (read.scan !== undefined) return undefined;
  try {
    return of(read.request());
  } catch {
    return undefined;
  }
};

const mostOutput = (read: ReadCall): number | undefined =>
  numberIn(read, outputFields, "maxOutputTokens") ?? decoded(read, (request) => request.maxOutputTokens);

const answersOf = (read: ReadCall): number =>
  Math.max(1, numberIn(read, ["n"], "candidateCount") ?? decoded(read, (request) => request.sampling.candidates) ?? 1);

export const demandOf = (read: ReadCall, targets: readonly DemandTarget[]): Demand => ({
  caller: read.call.caller,
  requestId: read.call.invocation.requestId,
  wire: read.call.wire.id,
  operation: "generate",
  model: read.model,
  targets,
  inputTokens: () => mostInput(read),
  outputTokens: () => mostOutput(read),
  answers: () => answersOf(read),
});
