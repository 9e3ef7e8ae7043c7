// The gateway's own bundle under AWS's runtime client: the official SDKs stream through a Function URL, and every stream ends well.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startUpstream, type TestUpstream, until } from "../../support/gateway.ts";
import { runtimeClient, type TestLambda } from "../../support/lambda.ts";
import { key } from "../clouds/app.ts";
import { send, testStreams } from "../clouds/streams.ts";
import { buildFunctions, faults, type Functions } from "./bundles.ts";

const entry = await runtimeClient();

describe.skipIf(entry === undefined)("the gateway on Lambda", () => {
  let upstream: TestUpstream;
  let functions: Functions;
  let lambda: TestLambda;
  beforeAll(async () => {
    upstream = await startUpstream();
    functions = await buildFunctions(entry ?? "", ["gateway"], upstream.url);
    lambda = await functions.start("gateway");
  });
  afterAll(async () => {
    await functions.stop();
    await upstream.stop();
  });

  testStreams({
    upstream: () => upstream,
    at: () => lambda,
    startShort: () => functions.start("gateway", { timeoutMs: 4_500 }),
    endLine: "REPORT ",
    faults,
  });

  test("a streaming call stays below 128 MB", async () => {
    const small = await functions.start("gateway", { memoryMb: 128 });
    const response = await send(small, "openai-chat", "long [[long 2000]] [[pace 0]]");
    expect(response.status).toBe(200);
    expect((await response.text()).length).toBeGreaterThan(100_000);
    await until(() => small.logs.some((line) => line.startsWith("REPORT ")), "the invocation ends");
    expect(faults(small)).toEqual([]);
  });

  test("calls that don't come by the front are turned away before anything else", async () => {
    const guarded = await functions.start("gateway", { env: { HEDDLE_ORIGIN_SECRET: "fake-new,fake-old" } });
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${guarded.url}/v1/models`, { headers: { authorization: `Bearer ${key}`, ...headers } })).status;
    expect(await status({})).toBe(403);
    expect(await status({ "x-heddle-origin": "fake-wrong" })).toBe(403);
    expect(await status({ "x-heddle-origin": "fake-new" })).toBe(200);
    expect(await status({ "x-heddle-origin": "fake-old" })).toBe(200);
  });

  test("the runtime saw no fault in all of this", () => {
    expect(faults(lambda)).toEqual([]);
  });
});
