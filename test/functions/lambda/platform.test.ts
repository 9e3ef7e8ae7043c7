// The local Lambda does to a function what Lambda does: streams, cuts, freezes, times out, runs out of memory.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runtimeClient, startLambda, type TestLambda } from "../../support/lambda.ts";
import { until } from "../../support/gateway.ts";

const entry = await runtimeClient();
const bundle = new URL("./handlers", import.meta.url).pathname;
const start = (options?: Parameters<typeof startLambda>[2]): Promise<TestLambda> =>
  startLambda(entry ?? "", bundle, options);

describe.skipIf(entry === undefined)("the local Lambda", () => {
  let lambda: TestLambda;
  beforeAll(async () => {
    lambda = await start();
  });
  afterAll(() => lambda.stop());

  test("streams behind a decoded head, cookies apart", async () => {
    const response = await fetch(`${lambda.url}/chunks`);
    expect(response.status).toBe(201);
    expect(response.headers.get("x-path")).toBe("/chunks");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await response.text()).toBe("one two three");
  });

  test("an empty body ends (F55)", async () => {
    const response = await fetch(`${lambda.url}/empty`);
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
  });

  test("a body without a head is bytes", async () => {
    const response = await fetch(`${lambda.url}/plain`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/octet-stream");
    expect(await response.text()).toBe("no head");
  });

  test("makes the event that a Function URL makes (F58)", async () => {
    const response = await fetch(`${lambda.url}/echo?a=1&a=2&b=%20`, {
      method: "POST",
      headers: { "content-type": "application/json", cookie: "x=1; y=2", "x-many": "1" },
      body: '{"ü":1}',
    });
    const event = (await response.json()) as Record<string, unknown>;
    expect(event).toMatchObject({
      version: "2.0",
      rawPath: "/echo",
      rawQueryString: "a=1&a=2&b=%20",
      queryStringParameters: { a: "1,2", b: " " },
      cookies: ["x=1", "y=2"],
      body: '{"ü":1}',
      isBase64Encoded: false,
      headers: { "x-many": "1", "x-forwarded-proto": "https" },
      requestContext: { http: { method: "POST", path: "/echo" } },
    });
    expect((event["headers"] as Record<string, string>)["cookie"]).toBeUndefined();
    const bytes = await fetch(`${lambda.url}/echo`, {
      method: "POST",
      headers: { "content-type": "image/png" },
      body: new Uint8Array([0, 255]),
    });
    expect(await bytes.json()).toMatchObject({ body: "AP8=", isBase64Encoded: true });
  });

  test("refuses a body that is larger than Lambda takes", async () => {
    const response = await fetch(`${lambda.url}/echo`, { method: "POST", body: Buffer.alloc(6 * 1024 * 1024 + 1) });
    expect(response.status).toBe(413);
  });

  test("a throw before the first byte is a 502, and the instance lives on", async () => {
    const response = await fetch(`${lambda.url}/throws`);
    expect(response.status).toBe(502);
    expect((await fetch(`${lambda.url}/process`)).status).toBe(200);
  });

  test("a throw after the first byte cuts the connection", async () => {
    const response = await fetch(`${lambda.url}/breaks`);
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow("terminated");
  });

  test("a process that ends is a 502, and the next call gets a new one", async () => {
    expect((await fetch(`${lambda.url}/exits`)).status).toBe(502);
    expect((await fetch(`${lambda.url}/process`)).status).toBe(200);
  });

  test("tells the function its time and memory, and what an invocation took", async () => {
    const outcome = await lambda.target.invoke({ rawPath: "/process" });
    expect(outcome.error).toBeUndefined();
    expect(outcome.peakMb).toBeGreaterThan(10);
    expect(lambda.logs.some((line) => line.startsWith("REPORT ") && line.includes("Max Memory Used"))).toBe(true);
  });

  test("invocations at once have a process each", async () => {
    const pids = await Promise.all(
      [1, 2].map(async () => {
        const body = (await (await fetch(`${lambda.url}/process`)).json()) as { pid: number };
        return body.pid;
      }),
    );
    expect(new Set(pids).size).toBe(2);
  });
});

describe.skipIf(entry === undefined)("the local Lambda's limits", () => {
  test("a call that takes too long is ended", async () => {
    const lambda = await start({ timeoutMs: 500 });
    expect((await fetch(`${lambda.url}/sleeps`)).status).toBe(502);
    await until(() => lambda.logs.some((line) => line.includes("timed out after 0.50 seconds")), "the timeout is told");
    await lambda.stop();
  });

  test("a process that takes too much memory is ended", async () => {
    const lambda = await start({ memoryMb: 128 });
    const outcome = await lambda.target.invoke({ rawPath: "/grows" });
    expect(outcome.error?.type).toBe("Runtime.OutOfMemory");
    await lambda.stop();
  });

  test("the process stands still between invocations (F56)", async () => {
    const lambda = await start();
    const process = async (): Promise<{ pid: number }> =>
      (await (await fetch(`${lambda.url}/process`)).json()) as { pid: number };
    const { pid } = await process();
    const stopped = (): boolean => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    await until(stopped, "it is frozen");
    expect((await process()).pid).toBe(pid);
    await until(stopped, "it is frozen again");
    await lambda.stop();
  });

  test("cold: a process for each call", async () => {
    const lambda = await start({ cold: true });
    const pid = async (): Promise<number> =>
      ((await (await fetch(`${lambda.url}/process`)).json()) as { pid: number }).pid;
    expect(await pid()).not.toBe(await pid());
    await lambda.stop();
  });

  test("a client that is dropped changes nothing for the function (F54)", async () => {
    const lambda = await start({ dropAfter: 1 });
    const response = await fetch(`${lambda.url}/chunks`);
    await expect(response.text()).rejects.toThrow("terminated");
    await until(() => lambda.logs.some((line) => line.startsWith("REPORT ")), "the invocation ended");
    expect(lambda.logs.find((line) => line.startsWith("REPORT "))).not.toContain("error");
    await lambda.stop();
  });
});
