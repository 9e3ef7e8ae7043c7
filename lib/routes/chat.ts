// The four chat wires' routes.
import type { Call, Reply } from "../model/call.ts";
import type { RequestContext } from "../wires/wire.ts";
import { responseRoutes } from "./responses/index.ts";
import { chatCall, needs, type Route, type RouteContext } from "./route.ts";

const generate = (context: RouteContext, path: RequestContext, array: boolean): Promise<Reply> => {
  const thread = context.call.headers["heddle-thread"];
  if (thread !== undefined && thread !== "") {
    needs(context, "threads:write");
    return import("./joined.ts").then(({ joinThread }) => joinThread(context, path, array, thread));
  }
  return context.services.chat(chatCall(context, path, array));
};

const plain = (pattern: RegExp): Route => ({
  method: "POST",
  pattern,
  action: "models:call",
  handle: (context) => generate(context, {}, false),
});

/** A body that may hold a `thread`: where nothing is kept, every chat call refuses that by itself. */
const mayHoldThread = ({ call: { body }, services }: RouteContext): boolean =>
  services.threads !== undefined && Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes('"thread"');

const messages: Route = {
  method: "POST",
  pattern: /^\/v1\/messages$/,
  action: "models:call",
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
  action: "models:call",
  handle: (context) => {
    const [model = "", method] = context.params;
    return generate(context, { model, stream: method === "streamGenerateContent" }, asksForArray(context.call));
  },
};

/** A response is stored unless the caller says otherwise: then it is a run on a thread. */
const responses: Route = {
  ...plain(/^\/v1\/responses$/),
  handle: (context) => {
    const joins = (context.call.headers["heddle-thread"] ?? "") !== "";
    return context.services.threads === undefined || joins
      ? generate(context, {}, false)
      : import("./responses/create.ts").then(({ createResponse, isStateful }) =>
          isStateful(context.call.body) ? createResponse(context) : generate(context, {}, false),
        );
  },
};

export const chatRoutes: readonly Route[] = [
  plain(/^\/v1\/chat\/completions$/),
  messages,
  responses,
  gemini,
  ...responseRoutes,
];
