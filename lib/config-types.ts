// The configuration as the rest of the code sees it: parsed, defaulted, nothing left to interpret.
import type { OwnLimits, Scopes } from "./auth/caller.ts";
import type { ProviderKind } from "./providers/provider.ts";
import type { Dialect, Wire } from "./wires/wire.ts";

export type ProviderConfig = {
  id: string;
  kind: ProviderKind;
  apiKey?: string;
  baseUrl?: string;
  /** Headers sent with every call (`openai-organization`, a proxy's own key). */
  headers: Record<string, string>;
  /** Models to list, beside what the provider itself lists. */
  models: string[];
  /** Overrides of the kind's dialect flags. */
  dialect: Dialect;
  /** The wires that the host speaks, the most wanted first, where it is not what its kind is known for (openai, azure-openai, openai-compatible). */
  wires?: Wire["id"][];
  /** `anthropic-beta` values that may pass to this provider; ["*"] passes all (F21). */
  betas: string[];
  /** azure-openai: the API version; absent uses the v1 path. `tokenCredential` asks Entra for a token. */
  apiVersion?: string;
  tokenCredential?: boolean;
  /** bedrock */
  region?: string;
  accessKeyId?: string;
  secretAccessKey?: string;
  sessionToken?: string;
  bearerToken?: string;
  /** echo: milliseconds between words. Default 20. */
  pace?: number;
};

export type ModelConfig = {
  name: string;
  strategy: "fallback";
  /** `provider/model` or another alias, in order. */
  targets: string[];
  maxOutputTokens?: number;
};

/** Money per million tokens, in US dollars. */
export type Price = {
  input: number;
  output: number;
  cachedInput?: number;
  cacheWrite?: number;
  cacheWriteLong?: number;
  /** Audio, where it has a price of its own. */
  inputAudio?: number;
  outputAudio?: number;
  /** Dollars on top of every call. */
  perCall?: number;
};

type RetryConfig = {
  /** Tries per target, the first one included. */
  attempts: number;
  /** Milliseconds of the first pause; it doubles, with jitter. */
  baseDelayMs: number;
  maxDelayMs: number;
  /** Milliseconds for all tries of all targets together until the first event. */
  totalMs: number;
};

type TimeoutConfig = {
  connectMs: number;
  /** Until the upstream's response headers. */
  headersMs: number;
  /** Silence between two upstream reads. */
  idleMs: number;
};

export type ServerConfig = {
  host: string;
  port: number;
  /** Bytes. */
  maxBodyBytes: number;
  headersTimeoutMs: number;
  bodyTimeoutMs: number;
  heartbeatMs: number;
  drainMs: number;
};

type ClaimValue = string | number | boolean;

/** Who signs tokens (JWT) that are taken here, and what their claims mean. Claims are named exactly, or by a dotted path. */
export type IssuerConfig = {
  /** Exactly as tokens say it in `iss`. */
  issuer: string;
  /** One of them must be the token's. */
  audience: readonly string[];
  /** Where the token says whom it is for: `aud`, or `client_id` in Cognito's access tokens. */
  audienceClaim: string;
  /** Default: by OIDC discovery. */
  jwksUri?: string;
  /** Asymmetric ones alone. */
  algorithms: readonly string[];
  /** The only `typ` that is taken. Default: none, `JWT` or `at+jwt`. */
  type?: string;
  /** Claims that must be there: with this value, with one of these, or with any (`*`). */
  requiredClaims: Readonly<Record<string, ClaimValue | readonly ClaimValue[]>>;
  clockSkewSeconds: number;
  /** Since the time of issue. */
  maxTokenAgeSeconds?: number;
  /** Default: the tenant is the fixed one, the user `oid` or `sub`, the owner the user, roles stand in `roles`, `cognito:groups` or `scp`. */
  claims: { tenant?: string; user?: string; owner?: string; roles?: string; name?: string };
  /** Of all its tokens, where no claim says it. Default `default`. */
  tenant?: string;
  /** What a value of the roles claim means here. What is not listed means nothing. */
  roles: Readonly<Record<string, readonly string[]>>;
  /** Of tokens without a role that is listed. Default: none, so that they may do nothing. */
  defaultRoles: readonly string[];
  scopes?: Scopes;
  limits?: OwnLimits;
};

/** A caller that the platform has proven, and who it is here. One of `arn` and `objectId`. */
export type IdentityConfig = {
  /** Of an AWS role or user; sessions count as their role. `*` at the end stands for the rest of the name. */
  arn?: string;
  /** Of an Entra user, service principal or managed identity. */
  objectId?: string;
  /** The Entra directory that the object must be of. */
  directory?: string;
  /** Default `default`. */
  tenant?: string;
  /** Default: the role (`role/name`), or the object's id. */
  owner?: string;
  roles: readonly string[];
  scopes?: Scopes;
  limits?: OwnLimits;
};

export type AuthConfig = {
  /** `open` is allowed on loopback only. */
  mode: "open" | "keys";
  keys: {
    /** What limits and usage count it under. Default: `config:` and the name. */
    id?: string;
    name: string;
    key: string;
    /** Whose threads the key works on: nothing of another tenant, or of another owner within it, can be reached. Default `default`, and the key's name. */
    tenant?: string;
    owner?: string;
    /** Default `operator`: all but changing keys and limits. */
    roles?: string[];
    /** Administers every tenant. */
    everywhere?: boolean;
    scopes?: Scopes;
    limits?: OwnLimits;
  }[];
  /** Roles beside the built-in ones: what each allows, by action; `threads:*` stands for all that begin so. */
  roles?: Record<string, string[]>;
  /** Whether keys that prove themselves pass while the store can't tell whether they are revoked (F45). Default `closed`. */
  onStoreFailure?: "open" | "closed";
  issuers?: IssuerConfig[];
  identities?: IdentityConfig[];
};

/** Which calls a limit is for: every list that is given must have a match. Names may end in `*`. */
export type LimitMatch = {
  tenants?: string[];
  /** By id or name. */
  keys?: string[];
  users?: string[];
  roles?: string[];
  /** As the caller names them, or `provider/model`. */
  models?: string[];
};

type RuleBase = {
  /** Unique among the rules of its kind: what is counted is counted under it. */
  name: string;
  match?: LimitMatch;
  /** Whether calls pass while the store can't be asked (F45). Default: rates open, budgets closed. */
  onStoreFailure: "open" | "closed";
};

export type RateRule = RuleBase & {
  /** Each key, user, tenant or model of a tenant has a count of its own. */
  by: "key" | "user" | "tenant" | "model";
  requestsPerMinute?: number;
  tokensPerMinute?: number;
  /** Requests that may come at once; default: those of a minute. */
  burst?: number;
  /** Calls at once. */
  concurrent?: number;
};

export type BudgetRule = RuleBase & {
  by: "key" | "user" | "tenant";
  /** Dollars. */
  amount: number;
  /** Days and months of UTC. */
  per: "day" | "month" | "total";
  /** Shares of the amount at which somebody is told. */
  alerts: readonly number[];
};

export type LimitsConfig = {
  rates: RateRule[];
  budgets: BudgetRule[];
  /** Tenants whose counts are split over so many places, each with its share: for hundreds of calls a second. Default 1. */
  shards: Record<string, number>;
  /** Milliseconds until a call that never ended is settled at its estimate. */
  reservationMs: number;
  /** Output tokens of a call that sets no limit, to a model whose limit is not known. */
  outputTokens: number;
  /** Whether a caller with a budget may call a model whose price is not known (F37). */
  unpriced: "refuse" | "allow";
  /** What holds while limits that were set at run time can't be read, by an instance that never has (F45). */
  onStoreFailure: "open" | "closed";
  /** Where budget alerts go; signed as standardwebhooks.com says where a secret is given. */
  webhook?: { url: string; secret?: string };
};

export type UsageConfig = {
  /** `off`: no ledger is kept. */
  ledger: "on" | "off";
  /** Days that single entries are kept. */
  retentionDays: number;
  /** Days that the sums per day are kept. */
  rollupDays: number;
};

export type CorsConfig = {
  origins: string[];
  headers: string[];
  exposeHeaders: string[];
  maxAgeSeconds: number;
  credentials: boolean;
};

/** What holds of every thread. */
type ThreadsConfig = {
  /** Milliseconds until a run whose process has died is given up. */
  leaseMs: number;
  /** Milliseconds that a run waits for its tools' outputs. */
  parkedMs: number;
  /** How long a run's events can be replayed. */
  eventsTtlSeconds: number;
  /** Runs that may wait on one thread. */
  queueLength: number;
};

/** The threads API of the Siili Agent SDK. */
export type SiiliConfig = {
  /** Where it is served beside the root: "" or a path without a slash at its end. */
  prefix: string;
  /** The model that answers: an alias or `provider/model`. */
  model: string;
  /** Instructions that open every conversation. */
  system?: string;
  speechModel?: string;
  transcriptionModel?: string;
};

export type HeddleConfig = {
  environment: "development" | "staging" | "production";
  providers: ProviderConfig[];
  models: ModelConfig[];
  prices: Record<string, Price>;
  retry: RetryConfig;
  timeouts: TimeoutConfig;
  server: ServerConfig;
  auth: AuthConfig;
  cors: CorsConfig | undefined;
  siili: SiiliConfig;
  log: { level: "debug" | "info" | "warn" | "error" | "silent" };
  /** `sqlite`: threads, runs and responses are kept in a file below `dataDir`. `none`: nothing is kept, and what needs it is refused. */
  storage: "sqlite" | "none";
  /** Where stores keep their files. */
  dataDir: string;
  threads: ThreadsConfig;
  limits: LimitsConfig;
  usage: UsageConfig;
  /** Things worth telling the operator at start: aliases in use, settings ignored. Never a value. */
  notices: string[];
  /** The file it came from, where there was one. */
  source?: string;
};
