// The four chat wires' routes.
import { GatewayError } from "../model/error.ts";
import type { Call, Reply } from "../model/call.ts";
import type { RequestContext } from "../wires/wire.ts";
import type { Route, RouteContext } from "./route.ts";

const generate = (context: RouteContext, path: RequestContext, array: boolean): Promise<Reply> => {
  const thread = context.call.headers["heddle-thread"];
  if (thread !== undefined && thread !== "")
    return import("./joined.ts").then(({ joinThread }) => joinThread(context, path, array, thread));
  return context.services.chat({
    wire: context.wire,
    body: context.call.body,
    headers: context.call.headers,
    path,
    array,
    strict: context.call.headers["heddle-strict"] === "true",
    keyName: context.keyName,
    trace: context.trace,
    invocation: context.invocation,
  });
};

const plain = (pattern: RegExp): Route => ({
  method: "POST",
  pattern,
  authenticated: true,
  handle: (context) => generate(context, {}, false),
});

/** A body that may hold a `thread`: where nothing is kept, every chat call refuses that by itself. */
const mayHoldThread = ({ call: { body }, services }: RouteContext): boolean =>
  services.threads !== undefined && Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes('"thread"');

const messages: Route = {
  method: "POST",
  pattern: /^\/v1\/messages$/,
  authenticated: true,
  handle: (context) =>
    mayHoldThread(context)
      ? import("./anthropic-threads.ts").then(({ answerOnThread }) =>
          answerOnThread(context, () => generate(context, {}, false)),
        )
      : generate(context, {}, false),
};

/** Gemini's stream without `alt=sse`: a JSON array, and its errors are arrays too. */
export const asksForArray = (call: Pick<Call, "path" | "query">): boolean =>
  /^\/v1(?:beta)?\/.+:streamGenerateContent$/.test(call.path) && new URLSearchParams(call.query).get("alt") !== "sse";

const gemini: Route = {
  method: "POST",
  // Frameworks leave `models/` out of a name that has a slash of its own.
  pattern: /^\/v1(?:beta)?\/(?:models\/)?(.+):(generateContent|streamGenerateContent)$/,
  authenticated: true,
  handle: (context) => {
    const [model = "", method] = context.params;
    return generate(context, { model, stream: method === "streamGenerateContent" }, asksForArray(context.call));
  },
};

/** State that nobody keeps here: what was never stored is not found. */
const notKept: readonly Route[] = (["GET", "POST", "DELETE"] as const).map((method) => ({
  method,
  pattern:
    /^\/v1\/(?:responses\/(?!input_tokens$)[^/]+(?:\/(?:cancel|input_items))?|responses\/compact|conversations(?:\/.*)?)$/,
  authenticated: true,
  handle: () => {
    throw new GatewayError(
      "not_found",
      "Responses and conversations are not stored here: there is nothing under this id.",
    );
  },
}));

export const chatRoutes: readonly Route[] = [
  plain(/^\/v1\/chat\/completions$/),
  messages,
  plain(/^\/v1\/responses$/),
  gemini,
  ...notKept,
];
