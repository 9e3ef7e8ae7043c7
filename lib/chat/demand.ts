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

/** Some hosts take a number's text for the number. */
const toNumber = (value: unknown): number | undefined =>
  typeof value === "string" && /^\s*[-+]?\d+\s*$/.test(value) ? Number(value) : asNumber(value);

/** Every number of the body, or of Gemini's `generationConfig`, under one of the names: which of them holds is the host's to say. */
const numbersIn = ({ scan, call }: ReadCall, names: readonly string[], gemini: string): number[] => {
  if (scan === undefined) return [];
  const parsed = (name: string): unknown => {
    const text = memberText(scan, name);
    return text === undefined ? undefined : parseJson(text);
  };
  const snake = gemini.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const given =
    call.wire.id === "gemini-generate"
      ? ["generationConfig", "generation_config"].flatMap((name) => {
          const config = asObject(parsed(name));
          return [config?.[gemini], config?.[snake]];
        })
      : names.map(parsed);
  return given.map(toNumber).filter((value) => value !== undefined);
};

/** A body that no scan could take is decoded. */
const decoded = (read: ReadCall, of: (request: ReturnType<ReadCall["request"]>) => number | undefined): number[] => {
  if (read.scan !== undefined) return [];
  try {
    const value = of(read.request());
    return value === undefined ? [] : [value];
  } catch {
    return [];
  }
};

/** Undefined where it is not said, or said in a way that means no limit to some hosts (-1). */
const mostOutput = (read: ReadCall): number | undefined => {
  const given = [
    ...numbersIn(read, outputFields, "maxOutputTokens"),
    ...decoded(read, (request) => request.maxOutputTokens),
  ];
  return given.length === 0 || given.some((value) => !(value >= 1)) ? undefined : Math.max(...given);
};

const answersOf = (read: ReadCall): number =>
  Math.max(
    1,
    ...numbersIn(read, ["n", "best_of"], "candidateCount"),
    ...decoded(read, (request) => request.sampling.candidates),
  );

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
