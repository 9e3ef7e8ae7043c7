// What a function on Azure works with: Cosmos DB, a queue and blobs of Azure Storage, Key Vault. Each client is made once a process, and its SDK
// loaded when it is first used. Connection strings and keys are for emulators: in Azure the managed identity is all there is.
import type { Blobs } from "../../lib/blobs/blobs.ts";
import { once } from "../../lib/model/once.ts";
import type { Queue } from "../../lib/queues/queue.ts";
import { createKeyVault } from "../../lib/secrets/key-vault.ts";
import type { MemberSecrets } from "../../lib/secrets/secrets.ts";
import type { Log } from "../../lib/telemetry/log.ts";
import type { JobCounts } from "../../lib/telemetry/measures.ts";
import type { Storage } from "../../lib/turns/services.ts";
import { type Environment, variable } from "../shared/environment.ts";

export type AzurePlatform = {
  /** Undefined without HEDDLE_COSMOS_ENDPOINT: nothing is kept then. */
  storage: (() => Promise<Storage>) | undefined;
  /** Undefined without HEDDLE_KEY_VAULT. */
  vault: MemberSecrets | undefined;
  /** Looks at the queue and at its dead letters. Undefined without HEDDLE_QUEUE. */
  jobs: (() => Promise<JobCounts>) | undefined;
};

/** What App Service leaves in a setting whose Key Vault reference it can't follow. */
const reference = /^@Microsoft\.KeyVault\(/i;

/** Without settings that hold no value but the name of one: as a key, it would be sent to a provider. */
export const withoutReferences = (env: Environment, log: Log): Environment => {
  const resolved: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(env))
    if (value === undefined || !reference.test(value)) resolved[name] = value;
    else log.warn("a Key Vault reference is not resolved: the setting is taken as not set", { setting: name });
  return resolved;
};

/** The storage account is the host's own, under the host's own names: `AzureWebJobsStorage`, as a connection string or as addresses. */
const account = "AzureWebJobsStorage";

const storageAccount = (
  env: Environment,
  service: "blob" | "queue",
): { connectionString: string } | { endpoint: string } => {
  const connectionString = variable(env, account);
  if (connectionString !== undefined) return { connectionString };
  const name = variable(env, `${account}__accountName`);
  const endpoint =
    variable(env, `${account}__${service}ServiceUri`) ??
    (name === undefined ? undefined : `https://${name}.${service}.core.windows.net`);
  if (endpoint === undefined) throw new Error(`${account}__${service}ServiceUri is not set.`);
  return { endpoint };
};

const cosmosAccount = (
  env: Environment,
): { key: string; connectionPolicy: { enableEndpointDiscovery: false } } | Record<string, never> => {
  const key = variable(env, "HEDDLE_COSMOS_KEY");
  // An emulator tells addresses of its own, that may not be reached from here.
  return key === undefined ? {} : { key, connectionPolicy: { enableEndpointDiscovery: false } };
};

/** `background` takes what nobody waits for. */
export const createAzurePlatform = (
  env: Environment,
  background: (work: Promise<unknown>) => void,
  log: Log,
  now: () => number,
): AzurePlatform => {
  const endpoint = variable(env, "HEDDLE_COSMOS_ENDPOINT");
  const container = variable(env, "HEDDLE_BLOBS");
  const name = variable(env, "HEDDLE_QUEUE");
  const vaultUrl = variable(env, "HEDDLE_KEY_VAULT");
  const storageQueue = (queue: string) =>
    once(async () => {
      const { openStorageQueue } = await import("../../lib/queues/azure-storage.ts");
      return openStorageQueue({ queue, ...storageAccount(env, "queue") });
    });
  const queue = name === undefined ? undefined : storageQueue(name);
  // The host's own name for it.
  const poison = name === undefined ? undefined : storageQueue(`${name}-poison`);
  const azureBlobs = once(async (): Promise<Blobs> => {
    if (container === undefined) throw new Error("HEDDLE_BLOBS is not set.");
    const { openAzureBlobs } = await import("../../lib/blobs/azure-blob.ts");
    return openAzureBlobs({ container, ...storageAccount(env, "blob") });
  });
  // Few threads hold anything large: most processes never load the client of blobs.
  const blobs: Blobs = {
    put: async (scope, bytes) => (await azureBlobs()).put(scope, bytes),
    get: async (scope, hash) => (await azureBlobs()).get(scope, hash),
    delete: async (scope, hash) => (await azureBlobs()).delete(scope, hash),
  };
  const send: Queue["send"] | undefined =
    queue === undefined ? undefined : async (message, delay) => (await queue()).send(message, delay);
  return {
    storage:
      endpoint === undefined
        ? undefined
        : once(async () => {
            const { openCosmos } = await import("../../lib/stores/cosmos.ts");
            return {
              table: await openCosmos({
                endpoint,
                database: variable(env, "HEDDLE_COSMOS_DATABASE") ?? "heddle",
                container: variable(env, "HEDDLE_COSMOS_CONTAINER") ?? "heddle",
                ...cosmosAccount(env),
              }),
              blobs,
              ...(send === undefined ? {} : { queue: { send } }),
            };
          }),
    vault: vaultUrl === undefined ? undefined : createKeyVault({ vaultUrl, now, background, warn: log.warn }),
    jobs:
      queue === undefined || poison === undefined
        ? undefined
        : async () => {
            const [open, dead] = await Promise.all([queue(), poison()]);
            const [counts, { waiting }] = await Promise.all([open.look(), dead.look()]);
            return { ...counts, dead: waiting };
          },
  };
};
