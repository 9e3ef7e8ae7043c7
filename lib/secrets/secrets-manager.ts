// One secret of AWS Secrets Manager that holds one JSON object: a request tells all of a deployment's secrets. What was read once outlives the
// vault's being down.
import type { SecretsManagerClient, SecretsManagerClientConfig } from "@aws-sdk/client-secrets-manager";
import { GatewayError } from "../model/error.ts";
import { isObject, parseJson } from "../model/json.ts";
import { awsJudge } from "../remote/aws.ts";
import { persist, type RetryPolicy } from "../remote/persist.ts";
import { createCachedSecrets } from "./cached.ts";
import type { Members, MemberSecrets } from "./secrets.ts";

export type JsonSecretOptions = {
  /** ARN or name. */
  readonly secretId: string;
  /** Region, credentials and endpoint: what isn't given is found as the AWS SDK finds it. */
  readonly client?: SecretsManagerClientConfig;
  readonly policy?: Partial<RetryPolicy>;
  readonly now: () => number;
  /** See `CachedOptions`. */
  readonly background?: (asking: Promise<unknown>) => void;
};

export type JsonSecret = MemberSecrets;

/** A caller waits for it. */
const patience: RetryPolicy = { timeoutMs: 3_000, tries: 4, totalMs: 6_000 };
/** Read anew behind a call from this age on, before a call from twice this age on: rotation is seen within a minute. */
const ttlMs = 30_000;

/** Throws for what isn't an object of texts, without a word of it. */
const membersOf = (text: string): Members => {
  const value = parseJson(text);
  if (!isObject(value)) throw new GatewayError("storage", "The secret is not a JSON object.");
  const members: Record<string, string> = {};
  for (const [name, member] of Object.entries(value)) if (typeof member === "string") members[name] = member;
  return members;
};

/** Sends nothing yet; the SDK is loaded with the first request. */
export const createJsonSecret = (options: JsonSecretOptions): JsonSecret => {
  const { secretId, now, background } = options;
  const policy: RetryPolicy = { ...patience, ...options.policy };
  const judge = awsJudge("Secrets Manager");
  let client: SecretsManagerClient | undefined;

  const read = async (): Promise<string> => {
    const sdk = await import("@aws-sdk/client-secrets-manager");
    client ??= new sdk.SecretsManagerClient({
      ...options.client,
      maxAttempts: 1,
      requestHandler: { connectionTimeout: Math.min(1_000, policy.timeoutMs), requestTimeout: policy.timeoutMs },
    });
    const vault = client;
    const answer = await persist("secrets", policy, true, judge, (abortSignal) =>
      vault.send(new sdk.GetSecretValueCommand({ SecretId: secretId }), { abortSignal }),
    );
    const text =
      answer.SecretString ?? (answer.SecretBinary && Buffer.from(answer.SecretBinary).toString("utf8")) ?? "";
    // What can't be used is no new value: the one before it holds.
    membersOf(text);
    return text;
  };
  const cached = createCachedSecrets(
    { get: read },
    { now, ttlMs, ...(background === undefined ? {} : { background }) },
  );
  let parsed: { text: string; members: Members } | undefined;
  const members = async (): Promise<Members> => {
    const text = (await cached.get(secretId)) ?? "{}";
    if (parsed?.text !== text) parsed = { text, members: membersOf(text) };
    return parsed.members;
  };
  return {
    members,
    get: async (name) => {
      const all = await members();
      return Object.hasOwn(all, name) ? all[name] : undefined;
    },
  };
};
