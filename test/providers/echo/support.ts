// echo called as the gateway calls it: one request on one wire, and what its answer says.
import { readAll } from "../../../lib/http/transport.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import { createEcho } from "../../../lib/providers/echo/index.ts";
import type { Provider, UpstreamCall } from "../../../lib/providers/provider.ts";

export const createTestEcho = (pace = 0): Provider =>
  createEcho(
    { id: "echo", kind: "echo", headers: {}, models: [], dialect: {}, betas: [], pace },
    {
      transport: { send: () => Promise.reject(new Error("echo reaches out")), close: () => Promise.resolve() },
      now: () => 1_700_000_000_000,
    },
  );

const none = new AbortController().signal;

export type Answer = { status: number; headers: Record<string, string>; body: JsonObject };

/** A whole answer on the Chat wire. */
export const chat = async (
  body: object,
  headers: Record<string, string> = {},
  echo = createTestEcho(),
): Promise<Answer> => {
  const call: UpstreamCall = {
    wire: "openai-chat",
    operation: "generate",
    model: "echo",
    stream: false,
    headers,
    body: JSON.stringify({ model: "echo", ...body }),
  };
  const response = await echo.send(call, none);
  const text = Buffer.from(await readAll(response.body)).toString("utf8");
  return { status: response.status, headers: response.headers, body: JSON.parse(text) as JsonObject };
};

export const user = (content: unknown): object => ({ role: "user", content });

export type Choice = {
  finish_reason: string;
  message: {
    content: string | null;
    tool_calls?: { id: string; type: string; function: { name: string; arguments: string } }[];
    [other: string]: unknown;
  };
};

export const choiceOf = ({ body }: Answer): Choice => (body["choices"] as unknown as Choice[])[0]!;
export const textOf = (answer: Answer): string => choiceOf(answer).message.content ?? "";
