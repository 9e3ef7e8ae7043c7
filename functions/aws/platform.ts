// What a function on AWS works with: DynamoDB, SQS, S3 and one secret. Each client is made once a process, and its SDK loaded when it is first used.
import type { Blobs } from "../../lib/blobs/blobs.ts";
import type { SqsQueue } from "../../lib/queues/sqs.ts";
import { createJsonSecret, type JsonSecret, type Members } from "../../lib/secrets/secrets-manager.ts";
import type { Storage } from "../../lib/turns/services.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that are set to nothing are not set. */
const variable = (env: Environment, name: string): string | undefined => env[name] || undefined;

/** Opened once, at the first use; a failure is told each time, not kept. */
const once = <T>(open: () => Promise<T>): (() => Promise<T>) => {
  let opening: Promise<T> | undefined;
  return () => {
    opening ??= open().catch((thrown: unknown) => {
      opening = undefined;
      throw thrown;
    });
    return opening;
  };
};

export type AwsPlatform = {
  /** Undefined without HEDDLE_TABLE: nothing is kept then. */
  storage: (() => Promise<Storage>) | undefined;
  /** Undefined without HEDDLE_QUEUE_URL: background runs are then carried out behind the answer. */
  queue: (() => Promise<SqsQueue>) | undefined;
  /** Undefined without HEDDLE_SECRET. */
  secret: JsonSecret | undefined;
};

/** An emulator on a name of its own has no name for each bucket. */
const s3Client = (env: Environment): { client?: { forcePathStyle: true } } =>
  variable(env, "AWS_ENDPOINT_URL_S3") === undefined ? {} : { client: { forcePathStyle: true } };

/** `background` takes what nobody waits for and must not be slept through. */
export const createAwsPlatform = (
  env: Environment,
  background: (work: Promise<unknown>) => void,
  now: () => number = Date.now,
): AwsPlatform => {
  const secretId = variable(env, "HEDDLE_SECRET");
  const table = variable(env, "HEDDLE_TABLE");
  const bucket = variable(env, "HEDDLE_BUCKET");
  const url = variable(env, "HEDDLE_QUEUE_URL");
  const queue =
    url === undefined
      ? undefined
      : once(async () => {
          const { openSqs } = await import("../../lib/queues/sqs.ts");
          return openSqs({ url });
        });
  const s3 = once(async (): Promise<Blobs> => {
    if (bucket === undefined) throw new Error("HEDDLE_BUCKET is not set.");
    const { openS3Blobs } = await import("../../lib/blobs/s3.ts");
    return openS3Blobs({ bucket, ...s3Client(env) });
  });
  // Few threads hold anything large: most processes never load S3's client.
  const blobs: Blobs = {
    put: async (scope, bytes) => (await s3()).put(scope, bytes),
    get: async (scope, hash) => (await s3()).get(scope, hash),
    delete: async (scope, hash) => (await s3()).delete(scope, hash),
  };
  return {
    storage:
      table === undefined
        ? undefined
        : once(async () => {
            const { openDynamodb } = await import("../../lib/stores/dynamodb.ts");
            return {
              table: await openDynamodb({ table }),
              blobs,
              ...(queue === undefined
                ? {}
                : { queue: { send: async (message, delay) => (await queue()).send(message, delay) } }),
            };
          }),
    queue,
    secret: secretId === undefined ? undefined : createJsonSecret({ secretId, now, background }),
  };
};

/** Members that are not a provider's key under the provider's name. */
const variables: Readonly<Record<string, string>> = {
  "azure-openai": "AZURE_OPENAI_API_KEY",
  bedrock: "AWS_BEARER_TOKEN_BEDROCK",
  "admin-key": "HEDDLE_ADMIN_KEY",
};
/** Asked for by name, not as variables. */
const unnamed: ReadonlySet<string> = new Set(["pepper", "origin", "smoke-key"]);

/** `openai` is OPENAI_API_KEY, `my-host` MY_HOST_API_KEY; a name in capitals is a variable's own. */
const variableOf = (member: string): string =>
  variables[member] ??
  (/^[A-Z][A-Z0-9_]*$/.test(member) ? member : `${member.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_")}_API_KEY`);

/** The environment with the secret's members under the names that the configuration knows; what is set already wins. */
export const withSecret = (env: Environment, members: Members): Environment => {
  const filled: Record<string, string | undefined> = { ...env };
  for (const [member, value] of Object.entries(members)) if (!unnamed.has(member)) filled[variableOf(member)] ||= value;
  return filled;
};
