// Hosts that speak Chat Completions, each with its address and how it departs from the wire: data, not code.
import type { Dialect } from "../wires/wire.ts";

export type Host = { baseUrl?: string; dialect: Dialect };

/** By the id they are configured under, or a part of their address. */
export const hosts: Readonly<Record<string, Host>> = {
  ollama: { baseUrl: "http://127.0.0.1:11434/v1", dialect: { maxTokensField: "max_tokens", replayReasoning: "reasoning", strictTools: false, inlineMedia: true } },
  vllm: { baseUrl: "http://127.0.0.1:8000/v1", dialect: { maxTokensField: "max_tokens", replayReasoning: "reasoning_content" } },
  groq: { baseUrl: "https://api.groq.com/openai/v1", dialect: { replayReasoning: "reasoning", refuses: ["logprobs", "logit_bias", "top_logprobs"] } },
  openrouter: { baseUrl: "https://openrouter.ai/api/v1", dialect: { maxTokensField: "max_tokens", replayReasoning: "reasoning", reasoningEffort: "openrouter" } },
  deepseek: {
    baseUrl: "https://api.deepseek.com/v1",
    dialect: { maxTokensField: "max_tokens", replayReasoning: "reasoning_content", structuredOutput: "tool", strictTools: false },
  },
  mistral: { baseUrl: "https://api.mistral.ai/v1", dialect: { maxTokensField: "max_tokens", streamOptions: false, refuses: ["user", "logit_bias", "logprobs", "top_logprobs"] } },
  xai: { baseUrl: "https://api.x.ai/v1", dialect: { reasoningOnTop: true, replayReasoning: "reasoning_content" } },
  together: { baseUrl: "https://api.together.xyz/v1", dialect: { maxTokensField: "max_tokens", strictTools: false } },
  fireworks: { baseUrl: "https://api.fireworks.ai/inference/v1", dialect: { maxTokensField: "max_tokens", replayReasoning: "reasoning_content" } },
  cerebras: { baseUrl: "https://api.cerebras.ai/v1", dialect: { refuses: ["frequency_penalty", "presence_penalty", "logit_bias"] } },
  perplexity: { baseUrl: "https://api.perplexity.ai", dialect: { maxTokensField: "max_tokens", parallelToolCalls: false } },
  moonshot: { baseUrl: "https://api.moonshot.ai/v1", dialect: { maxTokensField: "max_tokens", replayReasoning: "reasoning_content", toolChoiceRequired: false } },
  nvidia: { baseUrl: "https://integrate.api.nvidia.com/v1", dialect: { maxTokensField: "max_tokens" } },
  huggingface: { baseUrl: "https://router.huggingface.co/v1", dialect: { maxTokensField: "max_tokens" } },
};

const byAddress: readonly [RegExp, string][] = [
  [/127\.0\.0\.1:11434|localhost:11434|ollama/, "ollama"],
  [/groq\.com/, "groq"],
  [/openrouter\.ai/, "openrouter"],
  [/deepseek\.com/, "deepseek"],
  [/mistral\.ai/, "mistral"],
  [/\bx\.ai/, "xai"],
  [/together\.(?:xyz|ai)/, "together"],
  [/fireworks\.ai/, "fireworks"],
  [/cerebras\.ai/, "cerebras"],
  [/perplexity\.ai/, "perplexity"],
  [/moonshot\.(?:ai|cn)/, "moonshot"],
  [/nvidia\.com/, "nvidia"],
  [/huggingface\.co/, "huggingface"],
];

/** What is known of a host, by its address, else by its id; an unknown one is taken to speak the wire as it is defined. */
export const hostOf = (id: string, baseUrl: string | undefined): Host => {
  const address = baseUrl === undefined ? undefined : byAddress.find(([pattern]) => pattern.test(baseUrl))?.[1];
  const name = address ?? (baseUrl === undefined || Object.hasOwn(hosts, id) ? id : undefined);
  return (name === undefined ? undefined : hosts[name]) ?? { dialect: {} };
};
