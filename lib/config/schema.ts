// The grammar of heddle.yaml. The published JSON Schema (heddle.schema.json) is made from it.
import * as z from "zod/mini";
import { providerKinds } from "../providers/provider.ts";

const positive = z.number().check(z.positive());
const whole = z.int().check(z.nonnegative());
const text = z.string().check(z.minLength(1));
const list = z.array(text);
const money = z.number().check(z.nonnegative());

const dialect = z.strictObject({
  maxTokensField: z.exactOptional(z.enum(["max_completion_tokens", "max_tokens"])),
  systemRole: z.exactOptional(z.enum(["system", "developer"])),
  replayReasoning: z.exactOptional(z.enum(["reasoning_content", "reasoning"])),
  streamOptions: z.exactOptional(z.boolean()),
  structuredOutput: z.exactOptional(z.enum(["json_schema", "json_object", "tool", "none"])),
  parallelToolCalls: z.exactOptional(z.boolean()),
  toolChoiceRequired: z.exactOptional(z.boolean()),
  reasoningEffort: z.exactOptional(z.union([z.boolean(), z.literal("openrouter")])),
  strictTools: z.exactOptional(z.boolean()),
  reasoningOnTop: z.exactOptional(z.boolean()),
  refuses: z.exactOptional(list),
  inlineMedia: z.exactOptional(z.boolean()),
  adaptiveThinking: z.exactOptional(z.boolean()),
  functionIds: z.exactOptional(z.boolean()),
});

const provider = z.strictObject({
  kind: z.exactOptional(z.enum(providerKinds)),
  apiKey: z.exactOptional(z.string()),
  baseUrl: z.exactOptional(z.string().check(z.regex(/^https?:\/\/[^\s/]/, "expected an http(s) address"))),
  headers: z.exactOptional(z.record(z.string(), z.string())),
  models: z.exactOptional(list),
  dialect: z.exactOptional(dialect),
  betas: z.exactOptional(list),
  wires: z.exactOptional(z.array(z.enum(["openai-chat", "openai-responses"])).check(z.minLength(1))),
  apiVersion: z.exactOptional(text),
  tokenCredential: z.exactOptional(z.boolean()),
  region: z.exactOptional(text),
  accessKeyId: z.exactOptional(text),
  secretAccessKey: z.exactOptional(text),
  sessionToken: z.exactOptional(text),
  bearerToken: z.exactOptional(text),
  pace: z.exactOptional(z.number().check(z.nonnegative())),
});

const model = z.union([
  text,
  z.strictObject({
    strategy: z.exactOptional(z.enum(["fallback"])),
    targets: z.array(text).check(z.minLength(1)),
    maxOutputTokens: z.exactOptional(z.int().check(z.positive())),
  }),
]);

const price = z.strictObject({
  input: money,
  output: money,
  cachedInput: z.exactOptional(money),
  cacheWrite: z.exactOptional(money),
  cacheWriteLong: z.exactOptional(money),
  inputAudio: z.exactOptional(money),
  outputAudio: z.exactOptional(money),
  perCall: z.exactOptional(money),
});

const scopes = z.strictObject({
  actions: z.exactOptional(list),
  models: z.exactOptional(list),
  owners: z.exactOptional(z.union([z.literal("*"), list])),
});

const atLeastOne = z.int().check(z.positive());
const per = z.enum(["day", "month", "total"]);

const ownLimits = z.strictObject({
  requestsPerMinute: z.exactOptional(positive),
  tokensPerMinute: z.exactOptional(positive),
  concurrent: z.exactOptional(atLeastOne),
  budgets: z.exactOptional(z.array(z.strictObject({ amount: money, per }))),
});

const match = z.strictObject({
  tenants: z.exactOptional(list),
  keys: z.exactOptional(list),
  users: z.exactOptional(list),
  roles: z.exactOptional(list),
  models: z.exactOptional(list),
});

const ruleName = z
  .string()
  .check(z.regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, "expected up to 40 letters, digits, dashes and underscores"));
const onStoreFailure = z.exactOptional(z.enum(["open", "closed"]));

/** One rate of `limits.rates`. */
export const rateRule = z.strictObject({
  name: z.exactOptional(ruleName),
  by: z.enum(["key", "user", "tenant", "model"]),
  match: z.exactOptional(match),
  requestsPerMinute: z.exactOptional(positive),
  tokensPerMinute: z.exactOptional(positive),
  burst: z.exactOptional(atLeastOne),
  concurrent: z.exactOptional(atLeastOne),
  onStoreFailure,
});

/** One budget of `limits.budgets`. */
export const budgetRule = z.strictObject({
  name: z.exactOptional(ruleName),
  by: z.enum(["key", "user", "tenant"]),
  match: z.exactOptional(match),
  amount: money,
  per,
  alerts: z.exactOptional(z.array(z.number().check(z.positive(), z.maximum(10)))),
  onStoreFailure,
});

export const configSchema = z.strictObject({
  $schema: z.exactOptional(z.string()),
  environment: z.exactOptional(z.enum(["development", "staging", "production"])),
  providers: z.exactOptional(
    z.record(
      z
        .string()
        .check(
          z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "expected a name of letters, digits, dots, dashes and underscores"),
        ),
      provider,
    ),
  ),
  models: z.exactOptional(z.record(text, model)),
  prices: z.exactOptional(z.record(text, price)),
  retry: z.exactOptional(
    z.strictObject({
      attempts: z.exactOptional(z.int().check(z.minimum(1), z.maximum(10))),
      baseDelayMs: z.exactOptional(whole),
      maxDelayMs: z.exactOptional(whole),
      totalMs: z.exactOptional(whole),
    }),
  ),
  timeouts: z.exactOptional(
    z.strictObject({
      connectMs: z.exactOptional(positive),
      headersMs: z.exactOptional(positive),
      idleMs: z.exactOptional(positive),
    }),
  ),
  threads: z.exactOptional(
    z.strictObject({
      leaseMs: z.exactOptional(z.int().check(z.minimum(1_000))),
      parkedMs: z.exactOptional(z.int().check(z.positive())),
      eventsTtlSeconds: z.exactOptional(z.int().check(z.positive())),
      queueLength: z.exactOptional(whole),
    }),
  ),
  server: z.exactOptional(
    z.strictObject({
      host: z.exactOptional(text),
      port: z.exactOptional(z.int().check(z.minimum(0), z.maximum(65_535))),
      maxBodyBytes: z.exactOptional(z.int().check(z.positive())),
      headersTimeoutMs: z.exactOptional(positive),
      bodyTimeoutMs: z.exactOptional(positive),
      heartbeatMs: z.exactOptional(positive),
      drainMs: z.exactOptional(whole),
    }),
  ),
  auth: z.exactOptional(
    z.strictObject({
      mode: z.exactOptional(z.enum(["open", "keys"])),
      keys: z.exactOptional(
        z.array(
          z.strictObject({
            name: text,
            key: z.string().check(z.minLength(16, "expected at least 16 characters")),
            tenant: z.exactOptional(text),
            owner: z.exactOptional(text),
            roles: z.exactOptional(z.array(text).check(z.minLength(1))),
            everywhere: z.exactOptional(z.boolean()),
            scopes: z.exactOptional(scopes),
            limits: z.exactOptional(ownLimits),
          }),
        ),
      ),
      roles: z.exactOptional(z.record(text, list)),
      onStoreFailure,
    }),
  ),
  limits: z.exactOptional(
    z.strictObject({
      rates: z.exactOptional(z.array(rateRule)),
      budgets: z.exactOptional(z.array(budgetRule)),
      shards: z.exactOptional(z.record(text, z.int().check(z.minimum(1), z.maximum(64)))),
      reservationMs: z.exactOptional(z.int().check(z.minimum(1_000))),
      outputTokens: z.exactOptional(atLeastOne),
      unpriced: z.exactOptional(z.enum(["refuse", "allow"])),
      webhook: z.exactOptional(
        z.strictObject({
          url: z.string().check(z.regex(/^https?:\/\/[^\s/]/, "expected an http(s) address")),
          secret: z.exactOptional(text),
        }),
      ),
    }),
  ),
  usage: z.exactOptional(
    z.strictObject({
      ledger: z.exactOptional(z.enum(["on", "off"])),
      retentionDays: z.exactOptional(atLeastOne),
      rollupDays: z.exactOptional(atLeastOne),
    }),
  ),
  cors: z.exactOptional(
    z.strictObject({
      origins: z.array(
        z
          .string()
          .check(
            z.regex(
              /^(?:\*|null|[a-z][a-z0-9+.-]*:\/\/[^\s/]+)$/,
              "expected * or an origin, such as https://app.example.com (no path)",
            ),
          ),
      ),
      headers: z.exactOptional(list),
      exposeHeaders: z.exactOptional(list),
      maxAgeSeconds: z.exactOptional(whole),
      credentials: z.exactOptional(z.boolean()),
    }),
  ),
  log: z.exactOptional(
    z.strictObject({ level: z.exactOptional(z.enum(["debug", "info", "warn", "error", "silent"])) }),
  ),
  siili: z.exactOptional(
    z.strictObject({
      prefix: z.exactOptional(
        z
          .string()
          .check(
            z.regex(
              /^(?:(?!\/v1(?:beta)?(?:\/|$))(?:\/[\w-]+)+)?$/,
              "expected a path such as /api/chat, not below /v1 or /v1beta",
            ),
          ),
      ),
      model: z.exactOptional(text),
      system: z.exactOptional(text),
      speechModel: z.exactOptional(text),
      transcriptionModel: z.exactOptional(text),
    }),
  ),
  storage: z.exactOptional(z.enum(["sqlite", "none"])),
  dataDir: z.exactOptional(text),
});

export type ConfigFile = z.infer<typeof configSchema>;
