// The wires, one line each.
import type { ClientWireId, WireId } from "../model/wire-id.ts";
import { anthropicMessages } from "./anthropic-messages/index.ts";
import { bedrockConverse } from "./bedrock-converse/index.ts";
import { geminiGenerate } from "./gemini-generate/index.ts";
import { openaiChat } from "./openai-chat/index.ts";
import { openaiResponses } from "./openai-responses/index.ts";
import type { ClientWire, Wire } from "./wire.ts";

export const clientWires: Record<ClientWireId, ClientWire> = {
  "anthropic-messages": anthropicMessages,
  "openai-chat": openaiChat,
  "openai-responses": openaiResponses,
  "gemini-generate": geminiGenerate,
};

export const wires: Record<WireId, Wire> = { ...clientWires, "bedrock-converse": bedrockConverse };
