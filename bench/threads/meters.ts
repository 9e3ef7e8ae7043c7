// What a cloud's store would bill, read from the requests as they go by: a proxy before its emulator.
import { createServer, request as send } from "node:http";
import { once } from "node:events";
import { isObject, type Json, type JsonObject, parseJson } from "../../lib/model/json.ts";

type Seen = {
  headers: NodeJS.Dict<string | string[]>;
  method: string;
  body: JsonObject | Json[] | undefined;
  bytes: number;
};
export type Units = { readUnits: number; writeUnits: number };
export type Meter = {
  units: (request: Seen, answer: { body: Json | undefined; bytes: number }) => Units;
};

const structured = (value: Json | undefined): JsonObject | Json[] | undefined =>
  isObject(value) || Array.isArray(value) ? value : undefined;

export type Proxy = { url: string; stop: () => Promise<void> };

/** `onRequest` hears of every request that was answered. */
export const startProxy = async (target: string, meter: Meter, onRequest: (units: Units) => void): Promise<Proxy> => {
  const server = createServer((incoming, outgoing) => {
    const forward = async (): Promise<void> => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const asked = parseJson(body.toString("utf8"));
      const { "content-length": _length, host: _host, ...headers } = incoming.headers;
      const onward = send(new URL(incoming.url ?? "/", target), {
        method: incoming.method,
        headers: { ...headers, "content-length": String(body.length), host: new URL(target).host },
      });
      onward.end(body);
      const [answer] = await once(onward, "response");
      const answered: Buffer[] = [];
      for await (const chunk of answer) answered.push(chunk as Buffer);
      const text = Buffer.concat(answered);
      onRequest(
        meter.units(
          { headers, method: incoming.method ?? "GET", body: structured(asked), bytes: body.length },
          { body: parseJson(text.toString("utf8")), bytes: text.length },
        ),
      );
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      outgoing.end(text);
    };
    forward().catch(() => outgoing.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("No port.");
  return {
    url: `http://127.0.0.1:${address.port}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

/** Requests alone: the units of DynamoDB follow from the items. */
export const requestMeter: Meter = { units: () => ({ readUnits: 0, writeUnits: 0 }) };

/** The service's own examples: an item of 1 KB costs 1 to read and 5 to write, one of 100 KB costs 10 and 50; between them a line. */
const kilobytes = (bytes: number): number => Math.max(1, bytes / 1024);
const readUnits = (bytes: number): number => 1 + (9 * (kilobytes(bytes) - 1)) / 99;
const writeUnits = (bytes: number): number => 5 + (45 * (kilobytes(bytes) - 1)) / 99;
/** A query costs the engine's start, then what it loads. */
const queryStart = 2.5;
const none: Units = { readUnits: 0, writeUnits: 0 };

/** The emulator tells no request units: they are estimated from sizes. */
export const cosmosMeter: Meter = {
  units: ({ headers, method, body, bytes }, answer) => {
    const path = String(headers["x-ms-documentdb-partitionkey"] ?? "");
    if (path === "") return none;
    if (headers["x-ms-cosmos-is-batch-request"] !== undefined) {
      const steps = Array.isArray(body) ? body : [];
      return {
        readUnits: 0,
        writeUnits: steps.reduce<number>((sum, step) => sum + writeUnits(JSON.stringify(step).length), 0),
      };
    }
    if (headers["x-ms-documentdb-isquery"] !== undefined)
      return { readUnits: queryStart + readUnits(answer.bytes) - 1, writeUnits: 0 };
    if (method === "GET") return { readUnits: readUnits(answer.bytes), writeUnits: 0 };
    return { readUnits: 0, writeUnits: writeUnits(bytes) };
  },
};
