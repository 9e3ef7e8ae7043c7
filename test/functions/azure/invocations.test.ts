// Requests and invocations that don't belong together, under the real library: nobody waits for long, and nothing stays behind.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request as openRequest } from "node:http";
import Module from "node:module";
import { beforeAll, describe, expect, test } from "vitest";
import { watchConnections } from "../../../functions/azure/connections.ts";
import { guardInvocations, type Model, registeredModel } from "../../../functions/azure/invocations.ts";

type Registered = {
  metadata: { bindings: Record<string, { type: string }> };
  callback: (...args: unknown[]) => unknown;
};

const waitMs = 200;
let model: Model & { getCapabilities: (given: object) => Promise<Record<string, string>> };
let registered: Registered;
let uri: string;

beforeAll(async () => {
  const core = {
    hostVersion: "4.1040.0",
    log: () => undefined,
    setProgrammingModel: (given: typeof model) => {
      model = given;
    },
    getProgrammingModel: () => model,
    registerFunction: (metadata: Registered["metadata"], callback: Registered["callback"]) => {
      registered = { metadata, callback };
      return { dispose: () => undefined };
    },
    registerHook: () => ({ dispose: () => undefined }),
  };
  const prototype = Module.prototype as unknown as { require: (this: unknown, id: string) => unknown };
  const original = prototype.require;
  prototype.require = function required(this: unknown, id: string): unknown {
    return id === "@azure/functions-core" ? core : original.call(this, id);
  };
  const connections = watchConnections();
  const { app } = await import("@azure/functions");
  app.setup({ enableHttpStream: true });
  app.http("echo", {
    route: "{*path}",
    authLevel: "anonymous",
    handler: (request, { invocationId }) => {
      connections.of(invocationId);
      return { body: `${request.headers.get("x-name") ?? "nobody"} at ${new URL(request.url).host}` };
    },
  });
  guardInvocations(registeredModel(), connections, waitMs);
  uri = (await model.getCapabilities({}))["HttpUri"] ?? "";
});

/** As the host sends it on. */
const send = async (id: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> => {
  const client = openRequest(new URL(uri), {
    headers: {
      "x-ms-invocation-id": id,
      "x-forwarded-host": "app.example",
      "x-forwarded-proto": "https",
      ...headers,
    },
  });
  client.end();
  const [response] = (await once(client, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode ?? 0, text };
};

/** As the worker runs one. */
const invoke = async (id: string, headers = "{}"): Promise<unknown> => {
  const [trigger] = Object.entries(registered.metadata.bindings).find(([, { type }]) => type === "httpTrigger") ?? [""];
  const making = model.getInvocationModel({
    invocationId: id,
    metadata: registered.metadata,
    request: {
      inputData: [{ name: trigger, data: { http: {} } }],
      triggerMetadata: { Headers: { json: headers } },
      traceContext: {},
    },
  } as never);
  const { context, inputs } = await making.getArguments();
  return making.getResponse(context, await making.invokeFunction(context, inputs, registered.callback));
};

describe("a request and its invocation", () => {
  test("find each other, whichever comes first", async () => {
    const one = randomUUID();
    const first = send(one);
    await new Promise((resolve) => void setTimeout(resolve, 50));
    await invoke(one);
    expect(await first).toEqual({ status: 200, text: "nobody at app.example" });
    const other = randomUUID();
    const second = invoke(other, '{"x-name":"weft"}');
    expect(await send(other)).toEqual({ status: 200, text: "weft at app.example" });
    await second;
  });

  test("that is named by its client: the request is refused, the invocation ends", async () => {
    const id = randomUUID();
    const invocation = invoke(id);
    const refused = send(randomUUID());
    expect(await invocation).toEqual({ invocationId: id });
    expect(await refused).toMatchObject({ status: 400, text: expect.stringContaining("x-ms-invocation-id") });
  });

  test("that is named as no host does it is refused at once, and the process lives on", async () => {
    for (const id of ["error", "newListener", "__proto__", "", "a, b"]) expect((await send(id)).status, id).toBe(400);
    const id = randomUUID();
    const answer = send(id);
    await invoke(id);
    expect((await answer).status).toBe(200);
  });

  test("headers that are none are left out of what the library is told", async () => {
    for (const headers of ['{"x-name":"\u6f22"}', '{"a b":"c"}', "[1,2]", "null", "{", '{"":"x"}']) {
      const id = randomUUID();
      const answer = send(id, { "x-forwarded-host": "999.999.999.999" });
      await invoke(id, headers);
      expect(await answer).toEqual({ status: 200, text: "nobody at localhost" });
    }
  });
});
