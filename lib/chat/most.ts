// The most input tokens that a request may have. Unlike an estimate it holds for text of any kind: who writes digits pays by the digit.
import { asString } from "../model/json.ts";
import type { Part } from "../model/message.ts";
import type { ChatRequest } from "../model/request.ts";
import { estimatePartTokens } from "./estimate.ts";

/** Bytes of words and symbols that make at least one token; a digit may be one by itself. */
const bytesPerToken = 2;
const digitZero = 48;
const digitNine = 57;

/** Estimates of media are within about 30 % of the truth. */
const margin = 1.3;
const tokensPerMessage = 4;
/** What the request only names (a file, an address, a cache, what a hosted tool finds) may be of any size: as much as a small book. */
export const unseenTokens = 50_000;

/** Of text as its bytes. */
export const mostOfBytes = (bytes: Uint8Array): number => {
  let digits = 0;
  for (const byte of bytes) if (byte >= digitZero && byte <= digitNine) digits += 1;
  return Math.ceil((bytes.length - digits) / bytesPerToken) + digits;
};

const mostOfText = (text: string): number => (text === "" ? 0 : mostOfBytes(Buffer.from(text)));

const mostOfPart = (part: Part): number => {
  switch (part.type) {
    case "text":
    case "refusal":
      return mostOfText(part.text);
    case "reasoning":
      return Math.max(mostOfText(part.text), mostOfText(part.opaque?.data ?? ""));
    case "tool-call":
      return mostOfText(part.name) + mostOfText(part.arguments) + tokensPerMessage;
    case "tool-result":
      return mostOfParts(part.parts);
    case "opaque":
      return mostOfText(JSON.stringify(part.value));
    case "image":
      return Math.ceil(estimatePartTokens([part]) * margin);
    case "document":
    case "audio":
    case "video":
      if (part.source.kind === "text") return mostOfText(part.source.text);
      return part.source.kind === "base64" ? Math.ceil(estimatePartTokens([part]) * margin) : unseenTokens;
  }
};

const mostOfParts = (parts: readonly Part[]): number =>
  parts.reduce((sum, part) => sum + mostOfPart(part), tokensPerMessage);

/** Tools that a provider runs without looking anything up. */
const plain = /^(?:bash|text_editor|computer|memory|local_shell|shell|apply_patch|image_generation)/;

/** Whole tokens, at least 1. */
export const mostInputTokens = (request: ChatRequest): number => {
  let most = 1;
  for (const part of request.system) most += mostOfPart(part) + tokensPerMessage;
  for (const { parts } of request.messages) most += mostOfParts(parts);
  if (request.tools.length > 0) most += mostOfText(JSON.stringify(request.tools));
  if (request.output?.type === "json-schema") most += mostOfText(JSON.stringify(request.output.schema));
  const looksUp = request.tools.some(
    (tool) => tool.type === "hosted" && !plain.test(asString(tool.value["type"]) ?? ""),
  );
  return most + (looksUp ? unseenTokens : 0);
};
