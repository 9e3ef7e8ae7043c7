// Tokens of a request where no provider can be asked: an estimate, told as one.
import { estimateTokenCount } from "tokenx";
import type { ChatResponse } from "../model/event.ts";
import type { Part } from "../model/message.ts";
import type { ChatRequest } from "../model/request.ts";
import type { Usage } from "../model/usage.ts";
import type { ReadCall } from "./call.ts";

/** What vendors count for a picture of middling size, and for a page of a document. */
const tokensPerImage = 1_100;
const tokensPerPage = 1_800;
const bytesPerPage = 60_000;
/** Role and framing of one message. */
const tokensPerMessage = 4;

/** Text that is no language (base64, hashes): a tokenizer needs about one token for two characters, where words need one for four. */
const textTokens = (text: string): number => {
  let dense = 0;
  const words = text.replaceAll(/[A-Za-z0-9+/=_-]{64,}/g, (run) => {
    dense += run.length;
    return " ";
  });
  return estimateTokenCount(words) + Math.ceil(dense / 2);
};

const partTokens = (part: Part): number => {
  switch (part.type) {
    case "text":
    case "refusal":
    case "reasoning":
      return textTokens(part.text);
    case "tool-call":
      return textTokens(part.name) + textTokens(part.arguments) + tokensPerMessage;
    case "tool-result":
      return part.parts.reduce((sum, each) => sum + partTokens(each), tokensPerMessage);
    case "image":
      return tokensPerImage;
    case "document":
      if (part.source.kind === "text") return textTokens(part.source.text);
      return part.source.kind === "base64"
        ? tokensPerPage * Math.max(1, Math.ceil((part.source.data.length * 0.75) / bytesPerPage))
        : tokensPerPage;
    case "audio":
    case "video":
      return part.source.kind === "base64" ? Math.max(32, Math.ceil(part.source.data.length / 1_000)) : tokensPerImage;
    case "opaque":
      return textTokens(JSON.stringify(part.value));
  }
};

/** Of a message's parts. */
export const estimatePartTokens = (parts: readonly Part[]): number =>
  parts.reduce((sum, part) => sum + partTokens(part), tokensPerMessage);

/** Whole tokens, at least 1. */
export const estimateInputTokens = (request: ChatRequest): number => {
  let total = 0;
  for (const part of request.system) total += partTokens(part) + tokensPerMessage;
  for (const message of request.messages)
    total += message.parts.reduce((sum, part) => sum + partTokens(part), tokensPerMessage);
  if (request.tools.length > 0) total += textTokens(JSON.stringify(request.tools));
  if (request.output?.type === "json-schema") total += textTokens(JSON.stringify(request.output.schema));
  return Math.max(1, total);
};

/** Of a call whose provider doesn't tell: a body is four bytes a token; a history that was put before it is no part of its bytes. */
export const estimateCallTokens = ({ call }: ReadCall): number =>
  call.request === undefined ? Math.ceil(call.body.length / 4) : estimateInputTokens(call.request);

/** The usage of a whole answer without one. */
export const estimateUsage = (read: ReadCall, { parts, alternatives = [] }: ChatResponse): Usage => ({
  input: estimateCallTokens(read),
  output: [{ parts }, ...alternatives].reduce((sum, each) => sum + estimatePartTokens(each.parts), 0),
});
