// Retry and fallback through the real gateway: before the first event another host serves, after it none does, the same on every wire.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientWireIds } from "../../lib/model/wire-id.ts";
import { type Answer, jsonAnswer, type TestGateway, until } from "../support/gateway.ts";
import { rawWires } from "../support/wires.ts";
import { ask, good, nextWire, records, startTwoHosts, type TwoHosts } from "./two-hosts.ts";

let hosts: TwoHosts;
beforeAll(async () => {
  hosts = await startTwoHosts();
});
afterAll(() => hosts.stop());

/** Headers of a stream, then `text`, then the connection's end: in order, or broken. */
const stream =
  (text: string, end: "ends" | "breaks"): Answer =>
  (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(text, () => (end === "ends" ? response.end() : response.destroy()));
  };

/** A stream that begins and goes on for ever. */
const endless =
  (text: string): Answer =>
  (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(text);
  };

describe.each(clientWireIds)("client %s", (client) => {
  describe.each(clientWireIds)("first host on %s", (wire) => {
    const other = nextWire(wire);
    const failures: Record<string, Answer> = {
      "a 503": jsonAnswer(503, rawWires[wire].error(503, "down")),
      "a 429": jsonAnswer(429, rawWires[wire].error(429, "slow down"), { "retry-after": "60" }),
      "a key that it refuses": jsonAnswer(401, rawWires[wire].error(401, "bad key")),
      "a broken connection": (_request, response) => void response.destroy(),
    };
    const streamFailures: Record<string, Answer> = {
      "a 200 and an error": stream(rawWires[wire].midError, "ends"),
      "a 200 and a comment, then a break": stream(": processing\n\n", "breaks"),
      "a 200 and nothing": stream("", "ends"),
    };
    const cases = [
      ...Object.entries(failures).flatMap(([name, answer]) =>
        [true, false].map((streamed) => ({ name, answer, streamed })),
      ),
      ...Object.entries(streamFailures).map(([name, answer]) => ({ name, answer, streamed: true })),
    ];

    test.each(cases)(
      "before its first event, $name goes to the second host; streamed: $streamed (F25, F34)",
      async ({ answer, streamed }) => {
        const gateway = await hosts.gateway(wire, other);
        hosts.first.answer(answer);
        hosts.second.answer(good(other));
        const response = await ask(gateway, client, streamed);
        const text = await response.text();
        expect(text).toContain("Hello");
        expect(rawWires[client].inBandError(text)).toBe(false);
        expect(response.status).toBe(200);
        expect(response.headers.get("heddle-provider")).toBe("second");
        expect(response.headers.get("heddle-attempts")).toBe("2");
        expect([hosts.first.requests.length, hosts.second.requests.length]).toEqual([1, 1]);
        await until(() => records(gateway).length === 1, "the call's record");
        expect(records(gateway)[0]).toMatchObject({ provider: "second", attempts: 2, status: 200 });
      },
    );

    test("after content began no other host is asked, and nothing is added to a prompt (F33, F34)", async () => {
      const gateway = await hosts.gateway(wire, other);
      hosts.first.answer(stream(rawWires[wire].begin, "breaks"));
      hosts.second.answer(good(other));
      const response = await ask(gateway, client, true);
      const text = await response.text();
      expect(response.headers.get("heddle-provider")).toBe("first");
      expect(text).toContain("Hello");
      expect(text).toSatisfy(rawWires[client].inBandError);
      expect(hosts.first.requests).toHaveLength(1);
      expect(hosts.second.requests).toHaveLength(0);
    });

    test("a request's own fault stays with the first host (F34)", async () => {
      const gateway = await hosts.gateway(wire, other);
      hosts.first.answer(jsonAnswer(400, rawWires[wire].error(400, "bad field")));
      const response = await ask(gateway, client, true);
      expect(response.status).toBe(400);
      rawWires[client].envelope(await response.json());
      expect(hosts.second.requests).toHaveLength(0);
    });

    test("where all fail, the last failure is told with its retry advice and limits (F29, F34)", async () => {
      const gateway = await hosts.gateway(wire, other);
      hosts.first.answer(jsonAnswer(503, rawWires[wire].error(503, "down")));
      const limits = {
        "retry-after": "7",
        "x-ratelimit-remaining-requests": "0",
        "anthropic-ratelimit-requests-remaining": "0",
      };
      hosts.second.answer(jsonAnswer(429, rawWires[other].error(429, "slow down"), limits));
      const response = await ask(gateway, client, true);
      expect(response.status).toBe(429);
      rawWires[client].envelope(await response.json());
      expect(Object.fromEntries(response.headers)).toMatchObject(limits);
    });

    test("a stream that the caller leaves is metered as far as it went (F31)", async () => {
      const gateway = await hosts.gateway(wire, other);
      hosts.first.answer(endless(rawWires[wire].begin));
      const leaving = new AbortController();
      const response = await ask(gateway, client, true, { signal: leaving.signal });
      const reader = response.body?.getReader();
      await reader?.read();
      leaving.abort();
      await until(() => records(gateway).length === 1, "the call's record");
      const [record] = records(gateway);
      expect(record).toMatchObject({ disconnected: true, estimated: true, provider: "first" });
      expect(record?.["inputTokens"]).toBeGreaterThan(0);
      expect(record?.["outputTokens"]).toBeGreaterThan(0);
      await until(() => hosts.first.requests[0]?.aborted === true, "the host hears of it");
    });

    test("a stream that the host breaks off is metered as far as it went (F31)", async () => {
      const gateway = await hosts.gateway(wire, other);
      hosts.first.answer(stream(rawWires[wire].begin, "breaks"));
      await (await ask(gateway, client, true)).text();
      await until(() => records(gateway).length === 1, "the call's record");
      const [record] = records(gateway);
      expect(record).toMatchObject({ estimated: true, provider: "first" });
      expect(record?.["error"]).toBeDefined();
      expect(record?.["inputTokens"]).toBeGreaterThan(0);
      expect(record?.["outputTokens"]).toBeGreaterThan(0);
    });
  });
});

describe("the answer's head", () => {
  test("is held until the first real event, and is the second host's where the first fails before one (F25)", async () => {
    const gateway = await hosts.gateway("openai-chat", "openai-chat");
    let fail = (): void => undefined;
    hosts.first.answer((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(": PROCESSING\n\n");
      fail = () => void response.end(rawWires["openai-chat"].midError);
    });
    hosts.second.answer(good("openai-chat"));
    let answered = false;
    const pending = ask(gateway, "openai-chat", true).then((response) => {
      answered = true;
      return response;
    });
    await until(() => hosts.first.requests.length === 1, "the first host is asked");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(answered).toBe(false);
    fail();
    const response = await pending;
    expect(response.status).toBe(200);
    expect(response.headers.get("heddle-provider")).toBe("second");
    expect(response.headers.get("heddle-attempts")).toBe("2");
    expect(await response.text()).not.toContain("PROCESSING");
  });
});

test.each([true, false])(
  "the second host's limits reach the client on its own wire, though the call was translated; streamed: %s (F29)",
  async (streamed) => {
    const gateway = await hosts.gateway("openai-chat", "openai-chat");
    hosts.first.answer(jsonAnswer(503, rawWires["openai-chat"].error(503, "down")));
    hosts.second.answer((request, response) => {
      response.setHeader("x-ratelimit-remaining-requests", "2");
      return good("openai-chat")(request, response);
    });
    const response = await ask(gateway, "openai-chat", streamed);
    expect(response.headers.get("heddle-provider")).toBe("second");
    expect(response.headers.get("x-ratelimit-remaining-requests")).toBe("2");
  },
);

describe("the same host again", () => {
  const failTwice = (headers: Record<string, string>, times: number[]): Answer => {
    let asked = 0;
    return (request, response) => {
      times.push(performance.now());
      asked += 1;
      if (asked > 2) return good("openai-chat")(request, response);
      return jsonAnswer(429, rawWires["openai-chat"].error(429, "slow down"), headers)(request, response);
    };
  };

  test.each([
    ["retry-after-ms", { "retry-after-ms": "40" }, 40],
    ["retry-after", { "retry-after": "0.05" }, 50],
    ["the finer of both", { "retry-after": "30", "retry-after-ms": "30" }, 30],
  ])("is asked when %s says", async (_name, headers, least) => {
    const times: number[] = [];
    const gateway = await hosts.gateway("openai-chat", "openai-chat", (config) => {
      config.retry = { attempts: 3, baseDelayMs: 1, maxDelayMs: 1_000, totalMs: 5_000 };
    });
    hosts.first.answer(failTwice(headers, times));
    const response = await ask(gateway, "openai-chat", false);
    expect(response.status).toBe(200);
    expect(response.headers.get("heddle-attempts")).toBe("3");
    expect(response.headers.get("heddle-provider")).toBe("first");
    const [a = 0, b = 0, c = 0] = times;
    // Timers may fire a little early by this clock.
    expect(Math.min(b - a, c - b)).toBeGreaterThan(least - 3);
    expect(hosts.second.requests).toHaveLength(0);
  });

  test("is not waited for longer than the policy allows", async () => {
    const gateway = await hosts.gateway("openai-chat", "openai-chat", (config) => {
      config.retry = { attempts: 3, baseDelayMs: 1, maxDelayMs: 1_000, totalMs: 5_000 };
    });
    hosts.first.answer(jsonAnswer(429, rawWires["openai-chat"].error(429, "slow down"), { "retry-after": "3600" }));
    hosts.second.answer(good("openai-chat"));
    const response = await ask(gateway, "openai-chat", false);
    expect(response.headers.get("heddle-provider")).toBe("second");
    expect(hosts.first.requests).toHaveLength(1);
  });

  test("is not asked once the time for all tries is over", async () => {
    const gateway = await hosts.gateway("openai-chat", "openai-chat", (config) => {
      config.retry = { attempts: 1_000, baseDelayMs: 1, maxDelayMs: 1_000, totalMs: 100 };
    });
    const busy = jsonAnswer(503, rawWires["openai-chat"].error(503, "down"), { "retry-after-ms": "30" });
    hosts.first.answer(busy);
    hosts.second.answer(busy);
    const response = await ask(gateway, "openai-chat", false);
    expect(response.status).toBe(503);
    expect(hosts.first.requests.length + hosts.second.requests.length).toBeLessThan(8);
  });
});

describe("the breaker", () => {
  test("asks a host last that failed again and again", async () => {
    const gateway = await hosts.gateway("openai-chat", "anthropic-messages");
    hosts.first.answer(jsonAnswer(503, rawWires["openai-chat"].error(503, "down")));
    hosts.second.answer(good("anthropic-messages"));
    for (let calls = 0; calls < 5; calls += 1) await (await ask(gateway, "openai-chat", false)).text();
    expect(hosts.first.requests).toHaveLength(5);
    const response = await ask(gateway, "openai-chat", false);
    expect(response.headers.get("heddle-attempts")).toBe("1");
    expect(response.headers.get("heddle-provider")).toBe("second");
    expect(hosts.first.requests).toHaveLength(5);
  });

  /** Asks, and leaves as soon as the host was asked, or as the first piece is there. */
  const leave = async (gateway: TestGateway, calls: number, early: boolean): Promise<void> => {
    const leaving = new AbortController();
    const pending = ask(gateway, "openai-chat", true, { signal: leaving.signal });
    if (early) {
      await until(() => hosts.first.requests.length === calls, "the first host is asked");
      leaving.abort();
      await expect(pending).rejects.toThrow("abort");
      return;
    }
    await (await pending).body?.getReader().read();
    leaving.abort();
  };

  test.each([
    { when: "before the head", early: true, answer: () => undefined },
    { when: "in the middle of a stream", early: false, answer: endless(rawWires["openai-chat"].begin) },
  ])("counts no caller that leaves $when (F32)", async ({ early, answer }) => {
    const gateway = await hosts.gateway("openai-chat", "anthropic-messages");
    hosts.second.answer(good("anthropic-messages"));
    hosts.first.answer(answer);
    for (let calls = 1; calls <= 7; calls += 1) {
      await leave(gateway, calls, early);
      await until(() => records(gateway).length === calls, "the call's record");
    }
    expect(records(gateway).every((record) => record["disconnected"] === true)).toBe(true);
    hosts.first.answer(good("openai-chat"));
    const response = await ask(gateway, "openai-chat", false);
    expect(response.headers.get("heddle-provider")).toBe("first");
    expect(response.headers.get("heddle-attempts")).toBe("1");
    expect(hosts.second.requests).toHaveLength(0);
  });

  test("counts no request that is at fault itself", async () => {
    const gateway = await hosts.gateway("openai-chat", "anthropic-messages");
    hosts.first.answer(jsonAnswer(400, rawWires["openai-chat"].error(400, "bad field")));
    for (let calls = 0; calls < 7; calls += 1) await (await ask(gateway, "openai-chat", false)).text();
    hosts.first.answer(good("openai-chat"));
    expect((await ask(gateway, "openai-chat", false)).headers.get("heddle-provider")).toBe("first");
  });
});
