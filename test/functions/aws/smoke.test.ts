// The pre-traffic hook against a small AWS: Lambda's streamed invocations answered by a real gateway, Secrets Manager, CodeDeploy.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { handler } from "../../../functions/aws/smoke.ts";
import { createHook, turnProblem } from "../../../functions/aws/smoke/hook.ts";
import { encodeEventStreamFrame } from "../../../lib/http/eventstream.ts";
import { createNodeTransport } from "../../../lib/http/node-transport.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";

const adminKey = "an-admin-key-of-a-test-and-nobody-else";
const originSecret = "an-origin-secret-of-a-test";
const version = "arn:aws:lambda:eu-north-1:123456789012:function:heddle-Gateway:7";

type Seen = { target: string; path: string; headers: IncomingMessage["headers"]; body: string };
type Fault = (seen: Seen, response: ServerResponse) => boolean;

let gateway: TestGateway;
const seen: Seen[] = [];
let fault: Fault = () => false;
let secret: object = { "admin-key": adminKey };

const frame = (type: string, payload: Uint8Array | string): Uint8Array =>
  encodeEventStreamFrame({ ":message-type": "event", ":event-type": type }, payload);

/** As Lambda does it: the function's prelude and its bytes in frames, then how it ended. */
const lambda = async ({ body }: Seen, response: ServerResponse): Promise<void> => {
  const event = JSON.parse(body) as {
    rawPath: string;
    headers: Record<string, string>;
    body?: string;
    requestContext: { http: { method: string } };
  };
  const { host: _host, "x-heddle-origin": origin, ...headers } = event.headers;
  response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" });
  const begin = (status: number, type: string): void => {
    response.write(frame("PayloadChunk", JSON.stringify({ statusCode: status, headers: { "content-type": type } })));
    response.write(frame("PayloadChunk", Buffer.alloc(8)));
  };
  if (origin !== originSecret) {
    begin(403, "application/json");
    response.end(frame("InvokeComplete", "{}"));
    return;
  }
  const answer = await fetch(`${gateway.url}${event.rawPath}`, {
    method: event.requestContext.http.method,
    headers,
    ...(event.body === undefined ? {} : { body: event.body }),
  });
  begin(answer.status, answer.headers.get("content-type") ?? "");
  for await (const chunk of answer.body ?? []) response.write(frame("PayloadChunk", chunk as Uint8Array));
  response.end(frame("InvokeComplete", "{}"));
};

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const call: Seen = {
      target: String(request.headers["x-amz-target"] ?? "invoke"),
      path: request.url ?? "",
      headers: request.headers,
      body: Buffer.concat(chunks).toString("utf8"),
    };
    seen.push(call);
    if (fault(call, response)) return;
    if (call.target === "invoke") void lambda(call, response);
    else if (call.target === "secretsmanager.GetSecretValue")
      response.end(JSON.stringify({ SecretString: JSON.stringify(secret) }));
    else response.end("{}");
  });
});

let url = "";
beforeAll(async () => {
  gateway = await startGateway("auth: { mode: keys }\n", { HEDDLE_ADMIN_KEY: adminKey });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await gateway.stop();
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
});
afterEach(() => {
  seen.length = 0;
  fault = () => false;
  secret = { "admin-key": adminKey };
});

const run = async (env: Record<string, string> = {}) => {
  const lines: string[] = [];
  const transport = createNodeTransport({ connectMs: 1_000, headersMs: 5_000, idleMs: 5_000 }, { keepAlive: false });
  const hook = createHook({
    env: {
      AWS_REGION: "eu-north-1",
      AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
      AWS_SECRET_ACCESS_KEY: "an-example-and-no-secret",
      AWS_SESSION_TOKEN: "an-example-token",
      AWS_ENDPOINT_URL_LAMBDA: url,
      AWS_ENDPOINT_URL_CODEDEPLOY: url,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: url,
      HEDDLE_SMOKE_FUNCTION: version,
      HEDDLE_SMOKE_MODEL: "echo/echo",
      HEDDLE_SECRET: "arn:aws:secretsmanager:eu-north-1:123456789012:secret:heddle",
      HEDDLE_ORIGIN_SECRET: originSecret,
      ...env,
    },
    transport,
    now: () => Date.UTC(2026, 10, 21),
    sleep: () => Promise.resolve(),
    write: (line) => void lines.push(line),
  });
  try {
    const { status } = await hook({ DeploymentId: "d-EXAMPLE", LifecycleEventHookExecutionId: "execution" });
    return { status, line: JSON.parse(lines[0] ?? "{}") as Record<string, unknown>, text: lines.join("\n") };
  } finally {
    await transport.close();
  }
};

const told = (): unknown[] =>
  seen.flatMap(({ target, body }) => (target.startsWith("CodeDeploy") ? [JSON.parse(body) as unknown] : []));
const isTurn = ({ target, body }: Seen): boolean => target === "invoke" && body.includes("/v1/chat/completions");

describe("a new version that answers", () => {
  test("gets its traffic: ready, a streamed turn with a key, CodeDeploy told", async () => {
    const { status, line, text } = await run();
    expect(line).toMatchObject({ status: "Succeeded", tried: "turn", deploymentId: "d-EXAMPLE" });
    expect(status).toBe("Succeeded");
    expect(told()).toEqual([
      { deploymentId: "d-EXAMPLE", lifecycleEventHookExecutionId: "execution", status: "Succeeded" },
    ]);
    expect(seen.map(({ target }) => target)).toEqual([
      "invoke",
      "secretsmanager.GetSecretValue",
      "invoke",
      "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus",
    ]);
    for (const { headers } of seen) {
      expect(headers.authorization).toMatch(
        /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20261121\/eu-north-1\/(?:lambda|codedeploy|secretsmanager)\/aws4_request/,
      );
      expect(headers["x-amz-security-token"]).toBe("an-example-token");
    }
    expect(text).not.toContain(adminKey);
    expect(text).not.toContain(originSecret);
  });

  test("is invoked by its version, not by the alias that has the old one", async () => {
    await run();
    const path = seen[0]?.path ?? "";
    expect(decodeURIComponent(path)).toBe(`/2021-11-15/functions/${version}/response-streaming-invocations`);
  });

  test("a key for it alone goes before the admin key", async () => {
    secret = { "smoke-key": "not-a-key-that-the-gateway-knows", "admin-key": adminKey };
    const { line } = await run();
    expect(line).toMatchObject({ status: "Failed", reason: expect.stringContaining("401") });
  });

  test("a stack without a key yet is tried by its health alone; production is not", async () => {
    secret = { pepper: "example" };
    expect((await run()).line).toMatchObject({ status: "Succeeded", tried: "health" });
    expect((await run({ HEDDLE_ENV: "production" })).line).toMatchObject({
      status: "Failed",
      reason: expect.stringContaining("smoke-key"),
    });
  });

  test("one busy moment is forgiven", async () => {
    let turns = 0;
    fault = (call, response) => {
      if (!isTurn(call)) return false;
      turns += 1;
      if (turns > 1) return false;
      response.writeHead(429);
      response.end();
      return true;
    };
    expect((await run()).status).toBe("Succeeded");
    expect(turns).toBe(2);
  });
});

describe("a new version that does not answer is rolled back", () => {
  const stream =
    (...frames: Uint8Array[]): Fault =>
    (call, response) => {
      if (!isTurn(call)) return false;
      response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" });
      response.end(Buffer.concat(frames));
      return true;
    };
  const prelude = frame(
    "PayloadChunk",
    Buffer.concat([Buffer.from('{"statusCode":200,"headers":{"content-type":"text/event-stream"}}'), Buffer.alloc(8)]),
  );
  const end = frame("InvokeComplete", "{}");

  test.each<[string, Fault, string]>([
    [
      "the function crashed",
      stream(prelude, frame("InvokeComplete", '{"ErrorCode":"Unhandled","ErrorDetails":"{}"}')),
      "Unhandled",
    ],
    ["the stream was cut", stream(prelude), "cut"],
    ["the answer has no prelude", stream(frame("PayloadChunk", '"hello"'), end), "no status"],
    [
      "the turn's stream did not end",
      stream(prelude, frame("PayloadChunk", 'data: {"choices":[]}\n\n'), end),
      "come to its end",
    ],
    [
      "the turn's stream holds an error",
      stream(prelude, frame("PayloadChunk", 'data: {"error":{"code":"x"}}\n\ndata: [DONE]\n\n'), end),
      "error",
    ],
    ["Lambda refuses", (call, response) => isTurn(call) && (response.writeHead(403).end("{}"), true), "403"],
    ["the connection breaks", (call, response) => isTurn(call) && (response.destroy(), true), ""],
    [
      "Secrets Manager refuses",
      ({ target }, response) => target.startsWith("secretsmanager") && (response.writeHead(400).end("{}"), true),
      "400",
    ],
  ])("%s", async (_what, next, reason) => {
    fault = next;
    const { status, line } = await run();
    expect(status).toBe("Failed");
    expect(line["reason"]).toContain(reason);
    expect(told()).toEqual([expect.objectContaining({ status: "Failed" })]);
  });

  test("it does not know the header that CloudFront shows", async () => {
    const { line } = await run({ HEDDLE_ORIGIN_SECRET: "another" });
    expect(line).toMatchObject({ status: "Failed", reason: "/health/ready was answered with 403" });
  });

  test("its model is not there", async () => {
    const { line } = await run({ HEDDLE_SMOKE_MODEL: "nobody/nothing" });
    expect(line).toMatchObject({ status: "Failed", reason: expect.stringMatching(/^a turn was answered with 4\d\d/) });
  });
});

describe("telling CodeDeploy", () => {
  test("is tried again; where it can't be told the hook fails, and CodeDeploy's own time ends the deployment", async () => {
    let refusals = 0;
    fault = ({ target }, response) => {
      if (!target.startsWith("CodeDeploy")) return false;
      refusals += 1;
      if (refusals === 2) return false;
      response.writeHead(500).end();
      return true;
    };
    expect((await run()).status).toBe("Succeeded");
    fault = ({ target }, response) => target.startsWith("CodeDeploy") && (response.writeHead(500).end(), true);
    await expect(run()).rejects.toThrow("500");
  });
});

test("a turn's answer is judged by its end", () => {
  const answer = { status: 200, headers: { "content-type": "text/event-stream" }, pieces: 1 };
  expect(turnProblem({ ...answer, body: ': wait\n\ndata: {"choices":[]}\n\ndata: [DONE]\n\n' })).toBeUndefined();
  expect(turnProblem({ ...answer, body: "data: [DONE]\n\n" })).toContain("empty");
  expect(turnProblem({ ...answer, headers: { "content-type": "application/json" }, body: "{}" })).toContain("stream");
  expect(turnProblem({ ...answer, status: 401, body: '{"error":{"code":"invalid_api_key","message":"…"}}' })).toBe(
    "a turn was answered with 401 invalid_api_key",
  );
});

test("the function's handler stands", () => {
  expect(handler).toBeTypeOf("function");
});
