// State in a body that its target did not make, told from the bytes alone: such a call is translated, which leaves the state out (F12, F48).
import type { Target, Wire } from "../wires/wire.ts";

/** What sealed state of another maker looks like anywhere in a body (`seal` in wires/shared). */
const sealMark = Buffer.from("aGVkZGxl");
/** Quotes inside of a string are escaped, so these are found in structure alone. */
const thinkingMark = Buffer.from('"thinking"');
const emptySignature = /"signature"\s*:\s*""/;
const thinkingBlock = /"type"\s*:\s*"thinking"/g;
const signature = /"signature"\s*:\s*"/g;
const chatMarks = [Buffer.from('"reasoning_details"'), Buffer.from('"thought_signature"')];

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/** Thinking that another host made, or that lost its signature: Anthropic refuses it. */
const hasUnsignedThinking = (body: Buffer): boolean => {
  if (!body.includes(thinkingMark)) return false;
  const text = body.toString("latin1");
  return emptySignature.test(text) || count(text, thinkingBlock) > count(text, signature);
};

/** Whether `body` may hold state that `target` must not see. False where it can't be told: what an unknown host made may be this one's. */
export const mayHoldForeignState = (bytes: Uint8Array, wire: Wire["id"], { maker, dialect }: Target): boolean => {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (body.includes(sealMark)) return true;
  if (wire === "anthropic-messages") return maker === "anthropic" && hasUnsignedThinking(body);
  // A host that is known to want its reasoning back as plain text makes no state.
  const plain = dialect.replayReasoning !== undefined && dialect.reasoningEffort !== "openrouter";
  return wire === "openai-chat" && plain && chatMarks.some((mark) => body.includes(mark));
};
