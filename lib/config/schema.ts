// The grammar of heddle.yaml. The published JSON Schema (heddle.schema.json) is made from it.
import * as z from "zod/mini";
import { providerKinds } from "../providers/provider.ts";

const positive = z.number().check(z.positive());
const whole = z.int().check(z.nonnegative());
const text = z.string().check(z.minLength(1));
const list = z.array(text);

const dialect = z.strictObject({
  maxTokensField: z.optional(z.enum(["max_completion_tokens", "max_tokens"])),
  systemRole: z.optional(z.enum(["system", "developer"])),
  replayReasoning: z.optional(z.enum(["reasoning_content", "reasoning"])),
  streamOptions: z.optional(z.boolean()),
  structuredOutput: z.optional(z.enum(["json_schema", "json_object", "tool", "none"])),
  parallelToolCalls: z.optional(z.boolean()),
  toolChoiceRequired: z.optional(z.boolean()),
  reasoningEffort: z.optional(z.union([z.boolean(), z.literal("openrouter")])),
  strictTools: z.optional(z.boolean()),
  reasoningOnTop: z.optional(z.boolean()),
  refuses: z.optional(list),
  inlineMedia: z.optional(z.boolean()),
  adaptiveThinking: z.optional(z.boolean()),
  functionIds: z.optional(z.boolean()),
});

const provider = z.strictObject({
  kind: z.optional(z.enum(providerKinds)),
  apiKey: z.optional(z.string()),
  baseUrl: z.optional(z.string().check(z.regex(/^https?:\/\/.+/, "expected an http(s) URL"))),
  headers: z.optional(z.record(z.string(), z.string())),
  models: z.optional(list),
  dialect: z.optional(dialect),
  betas: z.optional(list),
  wires: z.optional(z.array(z.enum(["openai-chat", "openai-responses"])).check(z.minLength(1))),
  apiVersion: z.optional(text),
  tokenCredential: z.optional(z.boolean()),
  region: z.optional(text),
  accessKeyId: z.optional(text),
  secretAccessKey: z.optional(text),
  sessionToken: z.optional(text),
  bearerToken: z.optional(text),
  pace: z.optional(z.number().check(z.nonnegative())),
});

const model = z.union([
  text,
  z.strictObject({
    strategy: z.optional(z.enum(["fallback"])),
    targets: z.array(text).check(z.minLength(1)),
    maxOutputTokens: z.optional(z.int().check(z.positive())),
  }),
]);

const price = z.strictObject({
  input: z.number().check(z.nonnegative()),
  output: z.number().check(z.nonnegative()),
  cachedInput: z.optional(z.number().check(z.nonnegative())),
  cacheWrite: z.optional(z.number().check(z.nonnegative())),
  cacheWriteLong: z.optional(z.number().check(z.nonnegative())),
});

export const configSchema = z.strictObject({
  $schema: z.optional(z.string()),
  environment: z.optional(z.enum(["development", "staging", "production"])),
  providers: z.optional(z.record(z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "expected letters, digits, dots, dashes")), provider)),
  models: z.optional(z.record(text, model)),
  prices: z.optional(z.record(text, price)),
  retry: z.optional(
    z.strictObject({
      attempts: z.optional(z.int().check(z.minimum(1), z.maximum(10))),
      baseDelayMs: z.optional(whole),
      maxDelayMs: z.optional(whole),
      totalMs: z.optional(whole),
    }),
  ),
  timeouts: z.optional(
    z.strictObject({ connectMs: z.optional(positive), headersMs: z.optional(positive), idleMs: z.optional(positive) }),
  ),
  server: z.optional(
    z.strictObject({
      host: z.optional(text),
      port: z.optional(z.int().check(z.minimum(0), z.maximum(65_535))),
      maxBodyBytes: z.optional(z.int().check(z.positive())),
      headersTimeoutMs: z.optional(positive),
      bodyTimeoutMs: z.optional(positive),
      heartbeatMs: z.optional(positive),
      drainMs: z.optional(whole),
    }),
  ),
  auth: z.optional(
    z.strictObject({
      mode: z.optional(z.enum(["open", "keys"])),
      keys: z.optional(z.array(z.strictObject({ name: text, key: z.string().check(z.minLength(16, "expected at least 16 characters")) }))),
    }),
  ),
  cors: z.optional(
    z.strictObject({
      origins: list,
      headers: z.optional(list),
      exposeHeaders: z.optional(list),
      maxAgeSeconds: z.optional(whole),
      credentials: z.optional(z.boolean()),
    }),
  ),
  log: z.optional(z.strictObject({ level: z.optional(z.enum(["debug", "info", "warn", "error", "silent"])) })),
  dataDir: z.optional(text),
});

export type ConfigFile = z.infer<typeof configSchema>;
