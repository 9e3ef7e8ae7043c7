// What a function on AWS works with: DynamoDB, SQS, S3 and one secret. Each client is made once a process, and its SDK loaded when it is first used.
import type { Blobs } from "../../lib/blobs/blobs.ts";
import { once } from "../../lib/model/once.ts";
import type { SqsQueue } from "../../lib/queues/sqs.ts";
import { createJsonSecret, type JsonSecret } from "../../lib/secrets/secrets-manager.ts";
import type { Storage } from "../../lib/turns/services.ts";
import { type Environment, variable } from "../shared/environment.ts";

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
