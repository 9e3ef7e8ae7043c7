// Hosts that speak Chat Completions: where each is, and how it departs from the wire. Data, not code; a flag stands here only where
// the host's own pages or its answers say so, and `dialect` in the configuration overrides any of them.
import type { Dialect } from "../wires/wire.ts";

export type Host = {
  /** Where it is, when the configuration names the host and no address. */
  baseUrl?: string;
  /** Host names that are this host. */
  address?: RegExp;
  dialect: Dialect;
  /** What is otherwise for some models: every row that matches adds to the flags, in order. */
  models?: readonly (readonly [RegExp, Dialect])[];
};

const plain: Dialect = { maxTokensField: "max_tokens" };

/** By the ids that people give them. */
const hosts: Readonly<Record<string, Host>> = {
  ollama: {
    baseUrl: "http://127.0.0.1:11434/v1",
    address: /(?:^|\.)ollama\.com$|:11434$/,
    // It ignores what it doesn't know: an output limit by its newer name would be lost in silence.
    dialect: { ...plain, replayReasoning: "reasoning", strictTools: false, inlineMedia: true },
  },
  vllm: {
    baseUrl: "http://127.0.0.1:8000/v1",
    dialect: { ...plain, replayReasoning: "reasoning_content" },
  },
  lmstudio: {
    baseUrl: "http://127.0.0.1:1234/v1",
    address: /:1234$/,
    dialect: { ...plain, inlineMedia: true },
  },
  llamacpp: {
    baseUrl: "http://127.0.0.1:8080/v1",
    dialect: { ...plain, replayReasoning: "reasoning_content", inlineMedia: true },
  },
  groq: {
    baseUrl: "https://api.groq.com/openai/v1",
    address: /(?:^|\.)groq\.com$/,
    // Refused with a 400, its compatibility page says. Schemas and efforts are for some models; a forced call serves all.
    dialect: {
      structuredOutput: "tool",
      reasoningEffort: false,
      refuses: ["logprobs", "logit_bias", "top_logprobs"],
    },
    models: [
      [/gpt-oss|llama-4|kimi-k2/, { structuredOutput: "json_schema" }],
      [/gpt-oss|qwen3/, { reasoningEffort: true }],
    ],
  },
  openrouter: {
    baseUrl: "https://openrouter.ai/api/v1",
    address: /(?:^|\.)openrouter\.ai$/,
    dialect: { ...plain, replayReasoning: "reasoning", reasoningEffort: "openrouter" },
  },
  deepseek: {
    baseUrl: "https://api.deepseek.com/v1",
    address: /(?:^|\.)deepseek\.com$/,
    // It thinks unless told not to; while it thinks it refuses forced calls, and a tool loop without its reasoning.
    dialect: {
      ...plain,
      replayReasoning: "reasoning_content",
      structuredOutput: "json_object",
      toolChoiceRequired: false,
      strictTools: false,
    },
    models: [
      [/^deepseek-chat/, { structuredOutput: "tool", toolChoiceRequired: true }],
      [/^deepseek-reasoner/, { refuses: ["logprobs", "top_logprobs"] }],
    ],
  },
  mistral: {
    baseUrl: "https://api.mistral.ai/v1",
    address: /(?:^|\.)mistral\.ai$/,
    // Every field that it doesn't know is a 422.
    dialect: {
      ...plain,
      streamOptions: false,
      reasoningEffort: false,
      refuses: [
        "audio",
        "logit_bias",
        "logprobs",
        "modalities",
        "prompt_cache_retention",
        "safety_identifier",
        "seed",
        "service_tier",
        "store",
        "stream_options",
        "top_logprobs",
        "user",
        "verbosity",
        "web_search_options",
      ],
    },
  },
  xai: {
    baseUrl: "https://api.x.ai/v1",
    address: /(?:^|\.)x\.ai$/,
    dialect: { reasoningOnTop: true },
    models: [
      // Its reasoning models refuse these.
      [
        /^grok-(?:3-mini|4|code|build)(?!.*non-reasoning)/,
        { refuses: ["presence_penalty", "frequency_penalty", "stop"] },
      ],
      // They think as they do, and refuse to be told how much.
      [/^grok-(?:2|3(?!-mini)|4(?:-|$)|4\.1|4\.20|code|build)/, { reasoningEffort: false }],
    ],
  },
  together: {
    baseUrl: "https://api.together.xyz/v1",
    address: /(?:^|\.)together\.(?:xyz|ai)$/,
    dialect: { ...plain, strictTools: false },
  },
  fireworks: {
    baseUrl: "https://api.fireworks.ai/inference/v1",
    address: /(?:^|\.)fireworks\.ai$/,
    dialect: { ...plain, replayReasoning: "reasoning_content" },
  },
  cerebras: {
    baseUrl: "https://api.cerebras.ai/v1",
    address: /(?:^|\.)cerebras\.ai$/,
    dialect: { refuses: ["frequency_penalty", "presence_penalty", "logit_bias"] },
  },
  perplexity: {
    baseUrl: "https://api.perplexity.ai",
    address: /(?:^|\.)perplexity\.ai$/,
    dialect: { ...plain, parallelToolCalls: false },
  },
  moonshot: {
    baseUrl: "https://api.moonshot.ai/v1",
    address: /(?:^|\.)moonshot\.(?:ai|cn)$/,
    // While it thinks it refuses forced calls, and a tool loop without its reasoning.
    dialect: { ...plain, replayReasoning: "reasoning_content", toolChoiceRequired: false },
    models: [
      // Newer ones sample as they do, and refuse to be told otherwise.
      [
        /^kimi-k(?:2\.[5-9]|[3-9])/,
        { refuses: ["temperature", "top_p", "presence_penalty", "frequency_penalty", "n"] },
      ],
    ],
  },
  zai: {
    baseUrl: "https://api.z.ai/api/paas/v4",
    address: /(?:^|\.)(?:z\.ai|bigmodel\.cn)$/,
    dialect: {
      ...plain,
      replayReasoning: "reasoning_content",
      structuredOutput: "json_object",
      toolChoiceRequired: false,
      strictTools: false,
      streamOptions: false,
      refuses: ["presence_penalty", "frequency_penalty"],
    },
  },
  nvidia: {
    baseUrl: "https://integrate.api.nvidia.com/v1",
    address: /(?:^|\.)nvidia\.com$/,
    dialect: plain,
  },
  huggingface: {
    baseUrl: "https://router.huggingface.co/v1",
    address: /(?:^|\.)huggingface\.co$/,
    dialect: plain,
  },
  deepinfra: {
    baseUrl: "https://api.deepinfra.com/v1/openai",
    address: /(?:^|\.)deepinfra\.com$/,
    dialect: plain,
  },
  sambanova: {
    baseUrl: "https://api.sambanova.ai/v1",
    address: /(?:^|\.)sambanova\.ai$/,
    dialect: plain,
  },
  github: {
    baseUrl: "https://models.github.ai/inference",
    address: /(?:^|\.)models\.github\.ai$/,
    dialect: plain,
  },
};

const unknown: Host = { dialect: {} };

/** `host[:port]` of an address that the configuration has checked. */
const authorityOf = (baseUrl: string): string =>
  /^[a-z]+:\/\/(?:[^@/]*@)?([^/?#]+)/i.exec(baseUrl)?.[1]?.toLowerCase() ?? "";

/** What is known of a host, by its address, else by its id; any other is taken to speak the wire as it is defined. */
export const hostOf = (id: string, baseUrl: string | undefined): Host => {
  const named = Object.hasOwn(hosts, id) ? hosts[id] : undefined;
  if (baseUrl === undefined) return named ?? unknown;
  const authority = authorityOf(baseUrl);
  return Object.values(hosts).find(({ address }) => address?.test(authority)) ?? named ?? unknown;
};

export const dialectOf = (host: Host, model: string): Dialect => {
  if (host.models === undefined) return host.dialect;
  // Names may stand behind their maker's (`moonshotai/kimi-k2`).
  const name = model.slice(model.lastIndexOf("/") + 1);
  const matching = host.models.filter(([pattern]) => pattern.test(name)).map(([, flags]) => flags);
  return Object.assign({}, host.dialect, ...matching) as Dialect;
};
