// The API of the Siili Agent SDK (spaik-sdk) as its React client calls it: /threads, /files and /audio, at the root and below the
// configured prefix. docs/siili.md tells what stands for what.
import type { Action } from "../../auth/policy.ts";
import type { Reply } from "../../model/call.ts";
import { GatewayError } from "../../model/error.ts";
import type { Route, RouteContext } from "../route.ts";

type Handler = (context: RouteContext, ...params: string[]) => Promise<Reply>;

/** What a path is about, by its first segment. */
const actionOf = (method: Route["method"], path: string): Action => {
  if (path.startsWith("/audio/")) return "models:call";
  const kind = path.startsWith("/files") ? "files" : "threads";
  return `${kind}:${method === "GET" ? "read" : "write"}`;
};

const route = (method: Route["method"], path: string, handle: Handler): Omit<Route, "pattern"> & { path: string } => ({
  method,
  path,
  action: actionOf(method, path),
  handle: (context) => handle(context, ...context.params),
});

const threads = () => import("./threads.ts");
const messages = () => import("./messages.ts");
const files = () => import("./files.ts");
const audio = () => import("./audio.ts");

const noPush: Handler = () =>
  Promise.reject(new GatewayError("not_implemented", "No push service is configured: stream over messages/stream."));

const routes = [
  route("POST", "/threads", async (context) => (await threads()).create(context)),
  route("GET", "/threads", async (context) => (await threads()).list(context)),
  route("GET", "/threads/{id}", async (context, thread = "") => (await threads()).get(context, thread)),
  route("DELETE", "/threads/{id}", async (context, thread = "") => (await threads()).remove(context, thread)),
  route("POST", "/threads/{id}/cancel", async (context, thread = "") => (await threads()).cancel(context, thread)),
  route("GET", "/threads/{id}/negotiate-streaming", noPush),
  route("GET", "/threads/{id}/messages", async (context, thread = "") => (await messages()).list(context, thread)),
  route("POST", "/threads/{id}/messages", async (context, thread = "") => (await messages()).send(context, thread)),
  route("POST", "/threads/{id}/messages/stream", async (context, thread = "") =>
    (await messages()).stream(context, thread),
  ),
  route("GET", "/threads/{id}/messages/{id}", async (context, thread = "", message = "") =>
    (await messages()).get(context, thread, message),
  ),
  route("DELETE", "/threads/{id}/messages/{id}", async (context, thread = "", message = "") =>
    (await messages()).remove(context, thread, message),
  ),
  route("POST", "/files", async (context) => (await files()).upload(context)),
  route("GET", "/files/{id}", async (context, file = "") => (await files()).download(context, file)),
  route("DELETE", "/files/{id}", async (context, file = "") => (await files()).remove(context, file)),
  // The client's player asks under /stream; both are streams here.
  route("POST", "/audio/speech(?:/stream)?", async (context) => (await audio()).speech(context)),
  route("POST", "/audio/transcribe", async (context) => (await audio()).transcribe(context)),
];

/** At the root, and below `prefix` where it is not "" (it has no characters that mean something in a pattern). */
export const siiliRoutes = (prefix: string): readonly Route[] =>
  routes.map(({ path, ...rest }) => ({
    ...rest,
    pattern: new RegExp(`^(?:${prefix})?${path.replaceAll("{id}", "([^/]+)")}$`),
  }));
