// The routes of stored responses and conversations. What they do is loaded with the first call that needs it.
import { GatewayError } from "../../model/error.ts";
import type { Reply } from "../../model/call.ts";
import type { Route, RouteContext } from "../route.ts";

type Handler = (context: RouteContext) => Promise<Reply>;

/** What was never stored is not found. */
const whereKept =
  (load: () => Promise<Handler>) =>
  async (context: RouteContext): Promise<Reply> => {
    if (context.services.threads === undefined)
      throw new GatewayError(
        "not_found",
        "Responses and conversations are not stored here: there is nothing under this id.",
      );
    const handle = await load();
    return handle(context);
  };

const stored =
  (pick: (module: typeof import("./stored.ts")) => Handler): (() => Promise<Handler>) =>
  async () =>
    pick(await import("./stored.ts"));
const conversations =
  (pick: (module: typeof import("./conversations.ts")) => Handler): (() => Promise<Handler>) =>
  async () =>
    pick(await import("./conversations.ts"));

const route = (method: Route["method"], pattern: RegExp, load: () => Promise<Handler>): Route => ({
  method,
  pattern,
  authenticated: true,
  handle: whereKept(load),
});

const response = /^\/v1\/responses\/(?!input_tokens$|compact$)([^/]+)$/;
const conversation = /^\/v1\/conversations\/([^/]+)$/;
const items = /^\/v1\/conversations\/([^/]+)\/items$/;
const item = /^\/v1\/conversations\/([^/]+)\/items\/([^/]+)$/;

export const responseRoutes: readonly Route[] = [
  route(
    "GET",
    response,
    stored((module) => module.retrieveResponse),
  ),
  route(
    "DELETE",
    response,
    stored((module) => module.deleteResponse),
  ),
  route(
    "POST",
    /^\/v1\/responses\/([^/]+)\/cancel$/,
    stored((module) => module.cancelResponse),
  ),
  route(
    "GET",
    /^\/v1\/responses\/([^/]+)\/input_items$/,
    stored((module) => module.listInputItems),
  ),
  {
    method: "POST",
    pattern: /^\/v1\/responses\/compact$/,
    authenticated: true,
    handle: async (context) => (await import("./compact.ts")).compactResponse(context),
  },
  route(
    "POST",
    /^\/v1\/conversations$/,
    conversations((module) => module.createConversation),
  ),
  route(
    "GET",
    conversation,
    conversations((module) => module.retrieveConversation),
  ),
  route(
    "POST",
    conversation,
    conversations((module) => module.updateConversation),
  ),
  route(
    "DELETE",
    conversation,
    conversations((module) => module.deleteConversation),
  ),
  route(
    "GET",
    items,
    conversations((module) => module.listItems),
  ),
  route(
    "POST",
    items,
    conversations((module) => module.createItems),
  ),
  route(
    "GET",
    item,
    conversations((module) => module.retrieveItem),
  ),
  route(
    "DELETE",
    item,
    conversations((module) => module.deleteItem),
  ),
];
