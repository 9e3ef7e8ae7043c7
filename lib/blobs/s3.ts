// Blobs in S3, or whatever speaks its protocol. The role needs `s3:ListBucket` besides reading and writing objects: without it
// S3 answers 403 for what isn't there, which is an outage here.
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { awsJudge } from "../remote/aws.ts";
import { defaultPolicy, persist, type Attempt, type RetryPolicy } from "../remote/persist.ts";
import { objectName, type Blobs } from "./blobs.ts";
import { hashOf, intact } from "./hash.ts";

export type S3BlobsOptions = {
  readonly bucket: string;
  /** Before every name: `heddle/`. */
  readonly prefix?: string;
  /** Region, credentials and endpoint: what isn't given is found as the AWS SDK finds it. */
  readonly client?: S3ClientConfig;
  readonly policy?: Partial<RetryPolicy>;
};

const judge = awsJudge("S3");

/** Opens the bucket, which must be there. Loads the SDK; sends nothing yet. */
export const openS3Blobs = async (options: S3BlobsOptions): Promise<Blobs> => {
  const sdk = await import("@aws-sdk/client-s3");
  const policy: RetryPolicy = { ...defaultPolicy, timeoutMs: 20_000, totalMs: 30_000, ...options.policy };
  const client = new sdk.S3Client({
    // The hash that is sent along does what the SDK's own checksums would.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...options.client,
    maxAttempts: 1,
    requestHandler: { connectionTimeout: Math.min(2_000, policy.timeoutMs), requestTimeout: policy.timeoutMs },
  });
  const place = (scope: string, hash: string): { Bucket: string; Key: string } => ({
    Bucket: options.bucket,
    Key: objectName(options.prefix ?? "", scope, hash),
  });
  /** Everything here may be done twice. */
  const call = <T>(attempt: Attempt<T>): Promise<T> => persist("S3", policy, true, judge, attempt);

  return {
    put: async (scope, bytes) => {
      const hash = hashOf(bytes);
      const input = {
        ...place(scope, hash),
        Body: bytes,
        ContentLength: bytes.length,
        ChecksumSHA256: Buffer.from(hash, "hex").toString("base64"),
      };
      await call((abortSignal) => client.send(new sdk.PutObjectCommand(input), { abortSignal }));
      return hash;
    },
    get: async (scope, hash) => {
      const input = place(scope, hash);
      const bytes = await call(async (abortSignal) => {
        try {
          const answer = await client.send(new sdk.GetObjectCommand(input), { abortSignal });
          return await answer.Body?.transformToByteArray();
        } catch (error) {
          if (error instanceof sdk.NoSuchKey) return undefined;
          throw error;
        }
      });
      return bytes === undefined ? undefined : intact(bytes, hash);
    },
    delete: async (scope, hash) => {
      const input = place(scope, hash);
      await call((abortSignal) => client.send(new sdk.DeleteObjectCommand(input), { abortSignal }));
    },
  };
};
