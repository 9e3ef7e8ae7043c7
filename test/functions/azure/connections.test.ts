// A request and its invocation, in any order, and each without the other.
import { once } from "node:events";
import { createServer, request as openRequest, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Connections, watchConnections } from "../../../functions/azure/connections.ts";

let connections: Connections;
let server: Server;
const heard = new Map<string, ServerResponse>();
const forsaken: string[] = [];
beforeAll(async () => {
  connections = watchConnections(2_000);
  connections.onForsaken((id) => forsaken.push(id));
  server = createServer((request, response) => {
    heard.set(String(request.headers["x-ms-invocation-id"]), response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const ask = (id: string): ReturnType<typeof openRequest> => {
  const { port } = server.address() as AddressInfo;
  const sent = openRequest({ host: "127.0.0.1", port, headers: { "x-ms-invocation-id": id }, agent: false });
  sent.on("error", () => undefined).end();
  return sent;
};
const arrived = (id: string): Promise<unknown> => expect.poll(() => heard.has(id)).toBe(true);

test("the invocation first, the request first", async () => {
  const [early, late] = [randomUUID(), randomUUID()];
  const waiting = connections.arrival(early);
  ask(early);
  expect(await waiting).toBe(heard.get(early));
  ask(late);
  await arrived(late);
  expect(await connections.arrival(late)).toBe(heard.get(late));
  expect(connections.of(late)).toBe(heard.get(late));
  heard.get(late)?.end();
  await expect.poll(() => connections.of(late)).toBeUndefined();
});

test("a caller that leaves before its invocation is there: the invocation finds the closed connection", async () => {
  const id = randomUUID();
  const sent = ask(id);
  await arrived(id);
  sent.destroy();
  await expect.poll(() => heard.get(id)?.closed).toBe(true);
  expect((await connections.arrival(id))?.destroyed).toBe(true);
  expect(connections.of(id)?.destroyed).toBe(true);
  expect(connections.of(id)).toBeUndefined();
});

test("an invocation that is alone is given up, and so is a request, once", async () => {
  const id = randomUUID();
  ask(id);
  expect(await connections.arrival(randomUUID())).toBeUndefined();
  await expect.poll(() => forsaken, { timeout: 10_000 }).toEqual([id]);
  expect(connections.of(id)).toBeUndefined();
});

test("the connections are the host's to end", async () => {
  const id = randomUUID();
  const sent = ask(id);
  await arrived(id);
  heard.get(id)?.end();
  const [response] = (await once(sent, "response")) as [{ headers: Record<string, string> }];
  // No time is told after which it would be ended here.
  expect(response.headers["keep-alive"]).toBeUndefined();
});

test("a process that stood still finds what came meanwhile", async () => {
  const id = randomUUID();
  const waiting = connections.arrival(id);
  ask(id);
  // The connection is made, and nothing of it read, before the time is over.
  const until = performance.now() + 2_200;
  while (performance.now() < until);
  expect(await waiting).toBe(heard.get(id));
  expect(heard.get(id)).toBeDefined();
});
