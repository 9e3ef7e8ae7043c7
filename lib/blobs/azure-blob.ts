// Blobs in Azure Blob Storage: one container, by managed identity or by connection string.
import type { TokenCredential } from "@azure/identity";
import { azureCredential } from "../remote/azure-credential.ts";
import { azureJudge, partOf } from "../remote/azure.ts";
import { defaultPolicy, persist, type Attempt, type RetryPolicy } from "../remote/persist.ts";
import { objectName, type Blobs } from "./blobs.ts";
import { hashOf, intact } from "./hash.ts";

export type AzureBlobsOptions = {
  readonly container: string;
  /** Before every name: `heddle/`. */
  readonly prefix?: string;
  /** `https://account.blob.core.windows.net`, with the credential, or the process's own. */
  readonly endpoint?: string;
  readonly credential?: TokenCredential;
  /** Instead of an endpoint. */
  readonly connectionString?: string;
  readonly policy?: Partial<RetryPolicy>;
};

const judge = azureJudge("Azure Blob Storage");

const isMissing = (error: unknown): boolean =>
  partOf(error, "statusCode") === 404 && partOf(error, "code") === "BlobNotFound";

/** Opens the container, which must be there. Loads the SDK; sends nothing yet. */
export const openAzureBlobs = async (options: AzureBlobsOptions): Promise<Blobs> => {
  const sdk = await import("@azure/storage-blob");
  const policy: RetryPolicy = { ...defaultPolicy, timeoutMs: 20_000, totalMs: 30_000, ...options.policy };
  const settings = { retryOptions: { maxTries: 1 } };
  const service =
    options.connectionString === undefined
      ? new sdk.BlobServiceClient(options.endpoint ?? "", options.credential ?? azureCredential(), settings)
      : sdk.BlobServiceClient.fromConnectionString(options.connectionString, settings);
  const container = service.getContainerClient(options.container);
  const blob = (scope: string, hash: string): ReturnType<typeof container.getBlockBlobClient> =>
    container.getBlockBlobClient(objectName(options.prefix ?? "", scope, hash));
  /** Everything here may be done twice. */
  const call = <T>(attempt: Attempt<T>): Promise<T> => persist("Azure Blob Storage", policy, true, judge, attempt);

  return {
    put: async (scope, bytes) => {
      const hash = hashOf(bytes);
      await call((abortSignal) => blob(scope, hash).upload(Buffer.from(bytes), bytes.length, { abortSignal }));
      return hash;
    },
    get: async (scope, hash) => {
      const bytes = await call(async (abortSignal) => {
        try {
          const answer = await blob(scope, hash).download(0, undefined, { abortSignal });
          const chunks: Uint8Array[] = [];
          for await (const chunk of answer.readableStreamBody ?? []) chunks.push(Buffer.from(chunk));
          return new Uint8Array(Buffer.concat(chunks));
        } catch (error) {
          if (isMissing(error)) return undefined;
          throw error;
        }
      });
      return bytes === undefined ? undefined : intact(bytes, hash);
    },
    delete: async (scope, hash) => {
      await call((abortSignal) => blob(scope, hash).deleteIfExists({ abortSignal }));
    },
  };
};
