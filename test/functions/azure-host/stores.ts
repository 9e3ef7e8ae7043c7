// What the function app keeps things in, for tests: the Cosmos DB emulator, and Azurite's queues and blobs.
import { BlobServiceClient } from "@azure/storage-blob";
import { type QueueClient, QueueServiceClient } from "@azure/storage-queue";
import { startAzurite } from "../../support/azurite.ts";
import { startCosmos } from "../../support/cosmos.ts";
import type { HostJson } from "../../../functions/local/azure/settings.ts";

export type Stores = {
  /** The app's settings for all of them. */
  env: Record<string, string>;
  queue: QueueClient;
  poison: QueueClient;
  createQueue: (name: string) => Promise<QueueClient>;
  /** Names of the blobs that there are. */
  blobs: () => Promise<string[]>;
  stop: () => Promise<void>;
};

/** The project's host.json, but that a message which failed comes again at once. */
export const hurried: HostJson = {
  extensions: {
    http: { routePrefix: "" },
    queues: { batchSize: 4, newBatchThreshold: 2, maxDequeueCount: 5, maxPollingInterval: "00:00:00.2" },
  },
};

export const startStores = async (): Promise<Stores> => {
  const [cosmos, queues, blobs] = await Promise.all([startCosmos(), startAzurite("queue"), startAzurite("blob")]);
  const account = `${queues.connectionString()}${/BlobEndpoint=[^;]+;/.exec(blobs.connectionString())?.[0]}`;
  const service = QueueServiceClient.fromConnectionString(account);
  const container = BlobServiceClient.fromConnectionString(account).getContainerClient("heddle-blobs");
  const [name] = await Promise.all([cosmos.createContainer(), service.createQueue("heddle-jobs"), container.create()]);
  return {
    env: {
      AzureWebJobsStorage: account,
      HEDDLE_COSMOS_ENDPOINT: cosmos.options.endpoint,
      HEDDLE_COSMOS_KEY: cosmos.options.key,
      HEDDLE_COSMOS_DATABASE: cosmos.options.database,
      HEDDLE_COSMOS_CONTAINER: name,
      HEDDLE_QUEUE: "heddle-jobs",
      HEDDLE_BLOBS: "heddle-blobs",
    },
    queue: service.getQueueClient("heddle-jobs"),
    poison: service.getQueueClient("heddle-jobs-poison"),
    createQueue: async (other) => {
      await service.createQueue(other);
      return service.getQueueClient(other);
    },
    blobs: async () => {
      const names: string[] = [];
      for await (const { name: each } of container.listBlobsFlat()) names.push(each);
      return names;
    },
    stop: async () => {
      await Promise.all([cosmos.stop(), queues.stop(), blobs.stop()]);
    },
  };
};
