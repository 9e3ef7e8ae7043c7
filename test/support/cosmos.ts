// The Cosmos DB emulator of this suite: `@vercel/cosmosdb-server` in this process, and in front of it a small server for what
// it can't do: batches that roll back, and that take their partition from the header; time to live; the limit of 2 MB. Everything
// else passes through.
import { once } from "node:events";
import { createServer, request as send, type IncomingHttpHeaders, type IncomingMessage, type Server } from "node:http";
import { CosmosClient } from "@azure/cosmos";
import { createHttpServer } from "@vercel/cosmosdb-server";

export type LocalCosmos = {
  /** What `openCosmos` takes, but for the container. */
  options: { endpoint: string; key: string; database: string; connectionPolicy: { enableEndpointDiscovery: boolean } };
  /** Makes a container as the templates do, and names it. */
  createContainer: () => Promise<string>;
  /** Deletes what the service would have by now, were it `seconds` later. */
  sweep: (container: string, seconds: number) => Promise<number>;
  /** What the front answers next instead of passing a request on: statuses, one for each request. */
  refusals: number[];
  stop: () => Promise<void>;
};

type Answer = { status: number; headers: IncomingHttpHeaders; body: Buffer };
type Step = { operationType: string; id?: string; ifMatch?: string; resourceBody?: { id: string } };

const limitBytes = 2 * 1024 * 1024;

const bodyOf = async (message: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

const listen = async (server: Server): Promise<string> => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("No port.");
  return `http://127.0.0.1:${address.port}`;
};

const ask = async (target: string, method: string, path: string, headers: object, body?: Buffer): Promise<Answer> => {
  const { "content-length": _, ...rest } = headers as IncomingHttpHeaders;
  const onward = send(new URL(path, target), { method, headers: rest });
  onward.end(body);
  const [answer] = (await once(onward, "response")) as [IncomingMessage];
  return { status: answer.statusCode ?? 500, headers: answer.headers, body: await bodyOf(answer) };
};

/** The status that each step will have, by what the steps before it leave: 424 for all others where one fails. */
const foresee = async (steps: Step[], etagOf: (id: string) => Promise<string | undefined>): Promise<number[]> => {
  const etags = new Map<string, string | undefined>();
  const statuses: number[] = [];
  for (const step of steps) {
    const id = step.id ?? step.resourceBody?.id ?? "";
    if (!etags.has(id)) etags.set(id, await etagOf(id));
    const etag = etags.get(id);
    const create = step.operationType === "Create";
    const status = create
      ? etag === undefined
        ? 201
        : 409
      : etag === undefined
        ? 404
        : step.ifMatch !== undefined && step.ifMatch !== etag
          ? 412
          : 200;
    if (status >= 400) return steps.map((_, at) => (at === statuses.length ? status : 424));
    statuses.push(status);
    etags.set(id, step.operationType === "Delete" ? undefined : "written by this batch");
  }
  return statuses;
};

export const startCosmos = async (): Promise<LocalCosmos> => {
  const emulator = createHttpServer({ keepAlive: true });
  const target = await listen(emulator);
  const refusals: number[] = [];

  const front = async (incoming: IncomingMessage): Promise<Answer> => {
    const body = await bodyOf(incoming);
    const { method = "GET", url = "/", headers } = incoming;
    const refusal = refusals.shift();
    const refuse = (status: number): Answer => ({
      status,
      headers: {},
      body: Buffer.from(JSON.stringify({ message: "refused" })),
    });
    if (refusal !== undefined) return refuse(refusal);
    if (body.length > limitBytes) return refuse(413);
    if (headers["x-ms-cosmos-is-batch-request"] === undefined) return ask(target, method, url, headers, body);
    const steps = JSON.parse(body.toString()) as Step[];
    const { "x-ms-cosmos-is-batch-request": _, "x-ms-cosmos-batch-atomic": __, ...plain } = headers;
    const statuses = await foresee(steps, async (id) => {
      const answer = await ask(target, "GET", `${url}/${encodeURIComponent(id)}`, plain);
      return answer.status === 200 ? (JSON.parse(answer.body.toString()) as { _etag: string })._etag : undefined;
    });
    if (statuses.every((status) => status < 400)) {
      const partitionKey = headers["x-ms-documentdb-partitionkey"];
      const placed = steps.map((step) => Object.assign(step, { partitionKey }));
      return ask(target, method, url, headers, Buffer.from(JSON.stringify(placed)));
    }
    const results = statuses.map((statusCode) => ({ statusCode, requestCharge: 0 }));
    return { status: 207, headers: { "content-type": "application/json" }, body: Buffer.from(JSON.stringify(results)) };
  };

  // One request after another: between foreseeing a batch and doing it nothing may happen.
  let turn: Promise<unknown> = Promise.resolve();
  const server = createServer((incoming, outgoing) => {
    const answered = turn.then(() => front(incoming));
    turn = answered.catch(() => undefined);
    answered.then(
      (answer) => outgoing.writeHead(answer.status, answer.headers).end(answer.body),
      () => incoming.socket.destroy(),
    );
  });
  const url = await listen(server);

  const options: LocalCosmos["options"] = {
    endpoint: url,
    key: Buffer.from("a key").toString("base64"),
    database: "heddle",
    connectionPolicy: { enableEndpointDiscovery: false },
  };
  const admin = new CosmosClient(options);
  const { database } = await admin.databases.createIfNotExists({ id: options.database });
  let containers = 0;
  return {
    options,
    refusals,
    createContainer: async () => {
      containers += 1;
      const id = `container-${containers}`;
      await database.containers.create({
        id,
        partitionKey: { paths: ["/pk"] },
        defaultTtl: -1,
        indexingPolicy: {
          includedPaths: ["pk", "ipk", "place", "expiresAt"].map((name) => ({ path: `/${name}/?` })),
          excludedPaths: [{ path: "/*" }],
        },
      });
      return id;
    },
    sweep: async (id, seconds) => {
      const container = database.container(id);
      const { resources } = await container.items
        .query<{ id: string; pk: string; ttl: number; _ts: number }>("SELECT * FROM c", { maxItemCount: 10_000 })
        .fetchAll();
      const due = resources.filter((each) => each.ttl > 0 && each._ts + each.ttl <= Date.now() / 1000 + seconds);
      for (const each of due) await container.item(each.id, each.pk).delete();
      return due.length;
    },
    stop: async () => {
      admin.dispose();
      for (const each of [server, emulator]) {
        each.closeAllConnections();
        await new Promise((resolve) => each.close(resolve));
      }
    },
  };
};
