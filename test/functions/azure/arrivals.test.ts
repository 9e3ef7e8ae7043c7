// A caller that names an invocation itself: the host believes it, and then two wait for each other.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startFunctions, type TestFunctions } from "../../support/azure.ts";

const app = new URL("./arrivals-app", import.meta.url).pathname;

describe("a request that names its invocation", () => {
  let functions: TestFunctions;
  beforeAll(async () => {
    functions = await startFunctions(app, { env: { ARRIVAL_MS: "1000" }, execArgv: ["--expose-gc"] });
  });
  afterAll(() => functions.stop());

  const call = async (headers: Record<string, string> = {}, query = ""): Promise<[status: number, body: unknown]> => {
    const response = await fetch(`${functions.url}/v1/chat/completions${query}`, {
      method: "POST",
      body: "hi",
      headers,
    });
    return [response.status, await response.json()];
  };
  const ended = (): number =>
    functions.logs.filter((line) => line.startsWith("Executed 'Functions.gateway' (Succ")).length;

  test.each([
    ["of its own making", randomUUID(), ""],
    ["and hides its headers from the function", randomUUID(), "?Headers=x"],
  ])("%s is refused, and its invocation ends: nothing waits for the host's own limit", async (_, id, query) => {
    const before = ended();
    expect(await call({ "x-ms-invocation-id": id }, query)).toMatchObject([
      400,
      { error: { code: "invalid_request" } },
    ]);
    await expect.poll(ended).toBe(before + 1);
  });

  test("takes no answer from others, that go on meanwhile", async () => {
    const id = randomUUID();
    const answers = await Promise.all([
      call({ "x-ms-invocation-id": id }),
      call({ "x-ms-invocation-id": id }),
      call(),
      call({}, "?slow"),
    ]);
    expect(answers.map(([status]) => status)).toEqual([400, 400, 200, 200]);
    expect(answers.at(-1)).toEqual([200, { claimed: true, said: "hi" }]);
  });

  test("leaves nothing behind, also where its caller has left at once", async () => {
    const leave = async (): Promise<void> => {
      const leaving = AbortSignal.timeout(50);
      const headers = { "x-ms-invocation-id": randomUUID() };
      await fetch(functions.url, { method: "POST", body: "hi", headers, signal: leaving }).catch(() => undefined);
    };
    await Promise.all(Array.from({ length: 20 }, () => [leave(), call({ "x-ms-invocation-id": randomUUID() })]).flat());
    // Those of this very question, and of a few that have just ended.
    await expect.poll(async () => (await call({}, "?kept"))[1], { timeout: 10_000, interval: 200 }).toBeLessThan(12);
  });
});
