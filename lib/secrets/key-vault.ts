// Azure Key Vault with one secret for each of a deployment's: a list tells what has changed, and only that is read. What was read once outlives
// the vault's being down.
import type { TokenCredential } from "@azure/identity";
import type { SecretClient, SecretClientOptions, SecretProperties } from "@azure/keyvault-secrets";
import { GatewayError } from "../model/error.ts";
import { azureCredential } from "../remote/azure-credential.ts";
import { azureJudge, partOf } from "../remote/azure.ts";
import { persist, type Attempt, type RetryPolicy } from "../remote/persist.ts";
import { createCachedSecrets } from "./cached.ts";
import type { Members, MemberSecrets } from "./secrets.ts";

export type KeyVaultOptions = {
  /** `https://name.vault.azure.net`. The vault is one deployment's own: of its secrets, those with a `memberName` are read. */
  readonly vaultUrl: string;
  /** By default the process's own. It may list secrets and read their values, as the role Key Vault Secrets User. */
  readonly credential?: TokenCredential;
  readonly client?: SecretClientOptions;
  readonly policy?: Partial<RetryPolicy>;
  readonly now: () => number;
  /** See `CachedOptions`. */
  readonly background?: (asking: Promise<unknown>) => void;
  /** Told of a secret that is left out, by its name, once for each reason. */
  readonly warn?: (message: string, fields: { secret: string; reason: string }) => void;
};

/** A caller waits for it. */
const patience: RetryPolicy = { timeoutMs: 3_000, tries: 4, totalMs: 6_000 };
/** Listed anew behind a call from this age on, before a call from twice this age on: rotation is seen within a minute. */
const ttlMs = 30_000;

/** Secrets with names of their own, as everywhere. */
const own: ReadonlySet<string> = new Set(["admin-key", "pepper", "origin", "smoke-key"]);

/**
 * The member that a secret of the vault is; undefined for what this gateway has no use for, which is never read. Names in a vault
 * are of letters, digits and dashes, and don't tell capitals from small letters.
 *
 * | secret | member |
 * | --- | --- |
 * | `admin-key`, `pepper`, `origin`, `smoke-key` | the same |
 * | `heddle-log-level`, or any name with a dash all in capitals: `AWS-REGION` | the variable: `HEDDLE_LOG_LEVEL`, `AWS_REGION` |
 * | `openai-api-key`, `azure-openai-api-key`, `bedrock-api-key`, `my-host-api-key` | the provider: `openai`, `azure-openai`, `bedrock`, `my-host` |
 */
export const memberName = (secret: string): string | undefined => {
  const name = secret.toLowerCase();
  if (own.has(name)) return name;
  if (/^heddle(?:-[a-z0-9]+)+$/.test(name) || /^[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+$/.test(secret))
    return name.toUpperCase().replaceAll("-", "_");
  return /^([a-z0-9][a-z0-9-]*)-api-key$/.exec(name)?.[1];
};

type Known = {
  readonly stamp: string;
  readonly value: string;
  /** Read once more after the stamp was first seen. */
  readonly sure: boolean;
};

/** What one reading comes to, as the text that the cache holds and compares. */
type Reading = {
  readonly members: Members;
  /** Members that are there, and could not be read. */ readonly closed: string[];
};

/**
 * A list has no versions, but the second of the last change. What changes again within that second, or was listed and read from
 * two replicas that differ, is seen by reading a changed secret twice: now, and at the next refresh.
 */
const stampOf = ({ createdOn, updatedOn, version }: SecretProperties): string =>
  `${version ?? ""} ${createdOn?.getTime() ?? ""} ${updatedOn?.getTime() ?? ""}`;

const reasonAgainst = (secret: SecretProperties, now: number): string | undefined => {
  if (secret.enabled === false) return "disabled";
  if (secret.expiresOn !== undefined && secret.expiresOn.getTime() <= now) return "expired";
  return secret.notBefore !== undefined && secret.notBefore.getTime() > now ? "not valid yet" : undefined;
};

/** Refusals that may be of one secret alone: forbidden, not found. */
const alone: ReadonlySet<unknown> = new Set([403, 404]);

/** The SDK's errors carry the answer, whose body may be a secret, and the request with its token: neither is handed on. */
const bare = (thrown: unknown): Error => {
  const error = new Error("A request to Key Vault failed.");
  const status = partOf(thrown, "statusCode");
  const code = partOf(thrown, "code");
  return Object.assign(error, {
    name: thrown instanceof Error ? thrown.name : "Error",
    ...(typeof status === "number" ? { statusCode: status } : {}),
    ...(typeof code === "string" ? { code } : {}),
  });
};

/** Sends nothing yet; the SDK is loaded with the first request. `get` throws `storage` for a secret that is there, and can't be read. */
export const createKeyVault = (options: KeyVaultOptions): MemberSecrets => {
  const { vaultUrl, now, background, warn } = options;
  const policy: RetryPolicy = { ...patience, ...options.policy };
  const judge = azureJudge("Key Vault");
  let client: SecretClient | undefined;
  let known: ReadonlyMap<string, Known> = new Map();
  let told: ReadonlyMap<string, string> = new Map();

  const open = async (): Promise<SecretClient> => {
    const sdk = await import("@azure/keyvault-secrets");
    client ??= new sdk.SecretClient(vaultUrl, options.credential ?? azureCredential(), {
      ...options.client,
      retryOptions: { maxRetries: 0 },
    });
    return client;
  };

  const call = <T>(attempt: Attempt<T>): Promise<T> =>
    persist("secrets", policy, true, judge, async (signal, uncertain) => {
      try {
        return await attempt(signal, uncertain);
      } catch (thrown) {
        throw bare(thrown);
      }
    });

  const list = (vault: SecretClient): Promise<SecretProperties[]> =>
    call(async (abortSignal) => {
      const found: SecretProperties[] = [];
      for await (const each of vault.listPropertiesOfSecrets({ abortSignal }))
        if (memberName(each.name) !== undefined) found.push(each);
      return found;
    });

  /** A value, or the reason why there is none: what is wrong with one secret alone takes none of the others down. */
  const valueOf = async (vault: SecretClient, name: string): Promise<{ value: string } | { reason: string }> => {
    try {
      const { value = "" } = await call((abortSignal) => vault.getSecret(name, { abortSignal }));
      return { value };
    } catch (thrown) {
      const cause = thrown instanceof GatewayError ? thrown.cause : undefined;
      // A role on this secret that is missing; or it was disabled or deleted since it was listed.
      if (alone.has(partOf(cause, "statusCode"))) return { reason: String(partOf(cause, "code")) };
      throw thrown;
    }
  };

  const read = async (): Promise<string> => {
    const vault = await open();
    const listed = await list(vault);
    const next = new Map<string, Known>();
    const reasons = new Map<string, string>();
    const closed: string[] = [];
    const readOne = async (secret: SecretProperties): Promise<void> => {
      const { name } = secret;
      const against = reasonAgainst(secret, now());
      if (against !== undefined) return void reasons.set(name, against);
      const stamp = stampOf(secret);
      const before = known.get(name);
      if (before?.stamp === stamp && before.sure) return void next.set(name, before);
      const got = await valueOf(vault, name);
      if ("value" in got) return void next.set(name, { stamp, value: got.value, sure: before?.stamp === stamp });
      reasons.set(name, got.reason);
      // As with a vault that is down, what was read before holds. Its stamp stays, so that it is asked for again.
      if (before !== undefined) next.set(name, { ...before, sure: false });
      else closed.push(memberName(name) ?? name);
    };
    await Promise.all(listed.map(readOne));
    for (const [secret, reason] of reasons)
      if (told.get(secret) !== reason) warn?.("a secret of the vault is left out", { secret, reason });
    told = reasons;
    if (closed.length > 0 && next.size === 0)
      throw new GatewayError("storage", "Key Vault refused to tell any secret.", { retryable: false });
    known = next;
    const members = [...next].map(([name, { value }]) => [memberName(name) ?? name, value] as const);
    const reading: Reading = {
      members: Object.fromEntries(members.toSorted(([one], [other]) => (one < other ? -1 : 1))),
      closed: closed.toSorted(),
    };
    return JSON.stringify(reading);
  };

  const cached = createCachedSecrets(
    { get: read },
    { now, ttlMs, ...(background === undefined ? {} : { background }) },
  );
  let parsed: { text: string; reading: Reading } | undefined;
  const current = async (): Promise<Reading> => {
    const text = (await cached.get(vaultUrl)) ?? "";
    if (parsed?.text === text) return parsed.reading;
    const { members, closed } = JSON.parse(text) as Reading;
    const before = parsed?.reading.members;
    const same = before !== undefined && JSON.stringify(before) === JSON.stringify(members);
    parsed = { text, reading: { members: same ? before : members, closed } };
    return parsed.reading;
  };

  return {
    members: async () => (await current()).members,
    get: async (name) => {
      const { members, closed } = await current();
      if (Object.hasOwn(members, name)) return members[name];
      // Not the same as a secret that nobody has set: nothing may be made up in its place.
      if (closed.includes(name)) throw new GatewayError("storage", `The secret '${name}' can't be read.`);
      return undefined;
    },
  };
};
