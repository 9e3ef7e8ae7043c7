// Callers of the threads API on a gateway that keeps things, for its tests.
import { expect } from "vitest";
import { dataFolder } from "../../support/data.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";

export type Body = Record<string, unknown>;
export type Answer = { status: number; body: Body; text: string; headers: Headers };
export type Frame = { id: number; event: string; data: Body; text: string };

export type Client = {
  url: string;
  send: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Response>;
  call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;
  get: (path: string, headers?: Record<string, string>) => Promise<Answer>;
  post: (path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;
};

export const clientOf = (gateway: TestGateway, key?: string): Client => {
  const send: Client["send"] = (method, path, body, headers = {}) =>
    fetch(`${gateway.url}/v1/threads${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  const call: Client["call"] = async (...args) => {
    const response = await send(...args);
    const text = await response.text();
    const isJson = /[/+]json$/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      body: isJson && text !== "" ? (JSON.parse(text) as Body) : {},
      text,
      headers: response.headers,
    };
  };
  return {
    url: gateway.url,
    send,
    call,
    get: (path, headers) => call("GET", path, undefined, headers),
    post: (path, body, headers) => call("POST", path, body, headers),
  };
};

/** A gateway with a store of its own; `stop` takes both away. */
export const startThreads = async (
  yaml = "providers: { echo: { kind: echo, pace: 0 } }",
): Promise<{ gateway: TestGateway; path: string; stop: () => Promise<void> }> => {
  const data = dataFolder();
  const gateway = await startGateway(yaml, { HEDDLE_DATA: data.path });
  return {
    gateway,
    path: data.path,
    stop: async () => {
      await gateway.stop();
      data.remove();
    },
  };
};

/** A value inside a body: `at(answer, "data", 0, "id")`. */
export const at = (answer: { body: Body }, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>((value, name) => (value as Body | undefined)?.[name], answer.body);
export const textAt = (answer: { body: Body }, ...path: readonly (string | number)[]): string => {
  const value = at(answer, ...path);
  expect(value, `${path.join(".")} of ${JSON.stringify(answer.body)}`).toBeTypeOf("string");
  return String(value);
};
export const dataOf = (answer: Answer): Body[] => {
  expect(answer.body, answer.text).toMatchObject({ object: "list", has_more: expect.any(Boolean) });
  return answer.body["data"] as Body[];
};

export const newThread = async (client: Client, body: Body = {}): Promise<string> => {
  const made = await client.post("", body);
  expect(made.status, made.text).toBe(201);
  return textAt(made, "id");
};

/** A problem document of this code, naming this field. */
export const expectProblem = (answer: Answer, status: number, code: string, param?: string): void => {
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.body).toMatchObject({
    type: `urn:heddle:error:${code}`,
    status,
    code,
    title: expect.any(String),
    detail: expect.any(String),
    request_id: answer.headers.get("x-request-id"),
  });
  expect(answer.body["param"]).toBe(param);
};

/** The frames of an SSE text; comments are no frames. */
export const framesOf = (text: string): Frame[] =>
  text
    .split("\n\n")
    .filter((frame) => frame !== "" && !frame.startsWith(":"))
    .map((frame) => {
      const [, id = "", event = "", data = ""] = /^id: (\d+)\nevent: ([a-z-]+)\ndata: (.*)$/.exec(frame) ?? [];
      expect(data, frame).not.toBe("");
      return { id: Number(id), event, data: JSON.parse(data) as Body, text: `${frame}\n\n` };
    });

/** What the parts of a message say. */
export const saidIn = (message: unknown): string =>
  ((message as Body | undefined)?.["parts"] as Body[] | undefined)
    ?.map((part) => (part["type"] === "text" ? String(part["text"]) : ""))
    .join("") ?? "";

/** Waits until a look is as it should be; fails after ten seconds. */
export const eventually = async <T>(look: () => Promise<T>, fits: (value: T) => boolean): Promise<T> => {
  for (let tries = 0; tries < 400; tries += 1) {
    const value = await look();
    if (fits(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`never: ${JSON.stringify(await look())}`);
};
