// The routes of stored responses and conversations. What they do is loaded with the first call that needs it.
import { GatewayError } from "../../model/error.ts";
import type { Reply } from "../../model/call.ts";
import type { Route, RouteContext } from "../route.ts";

type Handler = (context: RouteContext) => Promise<Reply>;

/** What was never stored is not found. */
const route = (method: Route["method"], pattern: RegExp, load: () => Promise<Handler>): Route => ({
  method,
  pattern,
  action: method === "GET" ? "threads:read" : "threads:write",
  handle: async (context) => {
    if (context.services.threads === undefined)
      throw new GatewayError(
        "not_found",
        "Responses and conversations are not stored here: there is nothing under this id.",
      );
    const handle = await load();
    return handle(context);
  },
});

const response = /^\/v1\/responses\/(?!input_tokens$|compact$)([^/]+)$/;
const conversation = /^\/v1\/conversations\/([^/]+)$/;
const items = /^\/v1\/conversations\/([^/]+)\/items$/;
const item = /^\/v1\/conversations\/([^/]+)\/items\/([^/]+)$/;

export const responseRoutes: readonly Route[] = [
  route("GET", response, async () => (await import("./stored.ts")).retrieveResponse),
  route("DELETE", response, async () => (await import("./stored.ts")).deleteResponse),
  route("POST", /^\/v1\/responses\/([^/]+)\/cancel$/, async () => (await import("./stored.ts")).cancelResponse),
  route("GET", /^\/v1\/responses\/([^/]+)\/input_items$/, async () => (await import("./stored.ts")).listInputItems),
  {
    method: "POST",
    pattern: /^\/v1\/responses\/compact$/,
    action: "models:call",
    handle: async (context) => (await import("./compact.ts")).compactResponse(context),
  },
  route("POST", /^\/v1\/conversations$/, async () => (await import("./conversations.ts")).createConversation),
  route("GET", conversation, async () => (await import("./conversations.ts")).retrieveConversation),
  route("POST", conversation, async () => (await import("./conversations.ts")).updateConversation),
  route("DELETE", conversation, async () => (await import("./conversations.ts")).deleteConversation),
  route("GET", items, async () => (await import("./conversations.ts")).listItems),
  route("POST", items, async () => (await import("./conversations.ts")).createItems),
  route("GET", item, async () => (await import("./conversations.ts")).retrieveItem),
  route("DELETE", item, async () => (await import("./conversations.ts")).deleteItem),
];
