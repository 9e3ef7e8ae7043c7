// The local Functions host does to HTTP what the Functions host does: streams, cuts, gives up, tells what it tells.
import { request as openRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startFunctions, type TestFunctions } from "../../support/azure.ts";
import { until } from "../../support/gateway.ts";

const app = new URL("./app", import.meta.url).pathname;

type Echo = {
  method: string;
  url: string;
  headers: Record<string, string>;
  params: Record<string, string>;
  query: Record<string, string>;
  body: string;
};

describe("the local Functions host", () => {
  let functions: TestFunctions;
  beforeAll(async () => {
    functions = await startFunctions(app, { triggers: false });
  });
  afterAll(() => functions.stop());

  /** By a connection of its own, with the path as it is written. */
  const raw = (
    path: string,
    options: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const sent = openRequest(
        functions.url,
        { path, method: options.method ?? "GET", headers: options.headers ?? {}, agent: false },
        (response) => {
          let body = "";
          response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
          response.on("error", reject);
        },
      );
      sent.on("error", reject).end(options.body);
    });
  const echo = async (path: string, options?: Parameters<typeof raw>[1]): Promise<Echo> =>
    JSON.parse((await raw(path, options)).body) as Echo;

  test("streams chunk by chunk, cookies apart", async () => {
    const response = await fetch(`${functions.url}/chunks`);
    expect(response.status).toBe(201);
    expect(response.headers.get("x-one")).toBe("1");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(response.headers.get("x-ms-invocation-id")).toMatch(/^[0-9a-f-]{36}$/);
    const pieces: string[] = [];
    for await (const piece of response.body ?? []) pieces.push(Buffer.from(piece).toString());
    expect(pieces.join("")).toBe("one two three");
    expect(pieces.length).toBeGreaterThan(1);
  });

  test("an empty body ends", async () => {
    const response = await fetch(`${functions.url}/empty`);
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
    const head = await fetch(`${functions.url}/chunks`, { method: "HEAD" });
    expect(head.status).toBe(201);
    expect(await head.text()).toBe("");
  });

  test("tells the function what the Functions host tells it", async () => {
    const seen = await echo("/echo/a/b?x=1&x=2&y=%20", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "content-length": "13",
        "x-many": "ü",
        "x-forwarded-for": "192.0.2.9",
      },
      body: '{"model":"m"}',
    });
    expect(seen).toMatchObject({
      method: "POST",
      body: '{"model":"m"}',
      params: { path: "echo/a/b", model: "m", x: "1,2", y: " " },
      query: { x: "2", y: " " },
    });
    expect(seen.url).toBe(`${functions.url.replace("http:", "https:")}/echo/a/b?x=1&x=2&y=%20`);
    expect(seen.headers["x-forwarded-for"]).toMatch(/^192\.0\.2\.9, 127\.0\.0\.1:\d+$/);
    expect(seen.headers).toMatchObject({ "x-forwarded-proto": "https", "x-original-url": "/echo/a/b?x=1&x=2&y=%20" });
    expect(seen.headers["x-ms-invocation-id"]).toBeUndefined();
  });

  test("a client can put headers in the query or the body: the function's own view of them is not to be trusted", async () => {
    const forged = await echo(`/echo?Headers=${encodeURIComponent('{"x-ms-client-principal":"forged"}')}`);
    expect(forged.headers).toEqual({ "x-ms-client-principal": "forged" });
    expect((await echo("/echo?headers=1")).headers).toEqual({});
  });

  test("paths are decoded and encoded anew; a slash that was encoded is encoded twice", async () => {
    const path = async (written: string): Promise<string> => new URL((await echo(written)).url).pathname;
    expect(await path("/echo/a%20b%3Fc")).toBe("/echo/a%20b%3Fc");
    expect(await path("/echo/%C3%BC:%7Eq")).toBe("/echo/%C3%BC:~q");
    expect(await path("/echo/m%2Fn%2fo")).toBe("/echo/m%252Fn%252fo");
    expect(await path("/echo/50%25")).toBe("/echo/50%25");
    expect(await path("/x/../echo/./y")).toBe("/echo/y");
  });

  test("a method that isn't registered matches nothing", async () => {
    expect((await raw("/echo", { method: "DELETE" })).status).toBe(404);
  });

  test("a body in chunks streams, one of a length is read before; each has its limit", async () => {
    const seen = await echo("/echo", { method: "PUT", headers: { "transfer-encoding": "chunked" }, body: '{"a":"b"}' });
    expect(seen.body).toBe('{"a":"b"}');
    expect(seen.params).toEqual({ path: "echo" });
    const small = await startFunctions(app, { largestBody: 10, timeoutMs: 500, triggers: false });
    expect((await fetch(`${small.url}/echo`, { method: "POST", body: "x".repeat(11) })).status).toBe(413);
    const inChunks = await fetch(`${small.url}/echo`, {
      method: "POST",
      body: ReadableStream.from([new Uint8Array(6), new Uint8Array(6)]),
      duplex: "half",
    });
    // Without a request the function waits for one: it depends on what has reached the worker.
    expect(inChunks.status).toBeGreaterThanOrEqual(500);
    await small.stop();
  });

  test("an app without a route for the root answers it with its homepage, or not at all", async () => {
    const empty = { extensions: { http: { routePrefix: "api" } } };
    const shown = await startFunctions(app, { hostJson: empty, triggers: false });
    expect((await fetch(`${shown.url}/`)).status).toBe(200);
    expect((await fetch(`${shown.url}/echo`)).status).toBe(404);
    expect((await fetch(`${shown.url}/api/process`)).status).toBe(200);
    await shown.stop();
    const hidden = await startFunctions(app, {
      hostJson: empty,
      triggers: false,
      env: { AzureWebJobsDisableHomepage: "true" },
    });
    expect((await fetch(`${hidden.url}/`)).status).toBe(204);
    await hidden.stop();
  });

  test("requests at once are one process's", async () => {
    const pids = await Promise.all(
      [1, 2, 3, 4].map(async () => ((await (await fetch(`${functions.url}/process`)).json()) as { pid: number }).pid),
    );
    expect(new Set(pids)).toEqual(new Set([await functions.pid()]));
  });

  test("a client that leaves closes the worker's connection, which is all that it hears", async () => {
    const leaving = new AbortController();
    const response = await fetch(`${functions.url}/stalls`, { signal: leaving.signal });
    await response.body?.getReader().read();
    const left = (): number => functions.output.filter((line) => line === '{"stalls":"left"}').length;
    expect(left()).toBe(0);
    leaving.abort();
    await until(() => left() === 1, "the connection is closed");
  });

  test("what an invocation logs once it has ended is lost; what the worker writes is not", async () => {
    expect(await (await fetch(`${functions.url}/logs`)).text()).toBe("logged");
    await until(() => functions.output.some((line) => line.includes('"late":true')), "the late line");
    expect(functions.logs).toContain("while it runs");
    expect(functions.logs.some((line) => line.includes("after it has ended"))).toBe(false);
  });
});

describe("the local Functions host, when things go wrong", () => {
  test("a throw leaves the client without an answer until the time is over (F59)", async () => {
    const functions = await startFunctions(app, { timeoutMs: 500, triggers: false });
    expect((await fetch(`${functions.url}/throws`)).status).toBe(504);
    expect(functions.logs.some((line) => line.includes("Exception: before the first byte"))).toBe(true);
    const response = await fetch(`${functions.url}/breaks`);
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow("terminated");
    expect((await fetch(`${functions.url}/sleeps`)).status).toBe(504);
    const stalled = await fetch(`${functions.url}/stalls`);
    await expect(stalled.text()).rejects.toThrow("terminated");
    expect((await fetch(`${functions.url}/process`)).status).toBe(200);
    await functions.stop();
  });

  test("a client that names its own invocation gets no answer, and keeps nobody else from one", async () => {
    const functions = await startFunctions(app, { timeoutMs: 500, triggers: false });
    const named = fetch(`${functions.url}/process`, { headers: { "x-ms-invocation-id": "another" } });
    expect((await fetch(`${functions.url}/process`)).status).toBe(200);
    expect((await named).status).toBe(504);
    await functions.stop();
  });

  test("a worker that dies fails its requests, and there is a new one", async () => {
    const functions = await startFunctions(app, { triggers: false });
    const stalled = await fetch(`${functions.url}/stalls`);
    expect((await fetch(`${functions.url}/exits`)).status).toBe(500);
    await expect(stalled.text()).rejects.toThrow("terminated");
    expect((await fetch(`${functions.url}/process`)).status).toBe(200);
    expect(functions.logs.some((line) => line.startsWith("The worker ended (code 3)"))).toBe(true);
    await functions.stop();
  });

  test("an app that can't be loaded is told", async () => {
    await expect(startFunctions(new URL("./", import.meta.url).pathname)).rejects.toThrow("package.json");
  });
});
