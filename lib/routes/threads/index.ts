// The routes of threads. What carries them out is loaded with the first call: gateways that keep nothing never do.
import type { Reply } from "../../model/call.ts";
import type { Route, RouteContext } from "../route.ts";

type Handle = (context: RouteContext) => Promise<Reply>;

/** `:` stands for one segment of the path. */
const route = (method: Route["method"], path: string, load: () => Promise<Handle>): Route => ({
  method,
  pattern: new RegExp(`^/v1/threads${path.replaceAll(":", "([^/]+)")}$`),
  action: method === "GET" ? "threads:read" : "threads:write",
  handle: async (context) => (await load())(context),
});

const replay: NonNullable<Route["replay"]> = async (context, turn) =>
  (await import("./runs.ts")).replayRun(context, turn);

export const threadRoutes: readonly Route[] = [
  route("POST", "", async () => (await import("./threads.ts")).createThreadRoute),
  route("GET", "", async () => (await import("./threads.ts")).listThreadsRoute),
  route("GET", "/:", async () => (await import("./threads.ts")).getThreadRoute),
  route("PATCH", "/:", async () => (await import("./threads.ts")).patchThreadRoute),
  route("DELETE", "/:", async () => (await import("./threads.ts")).deleteThreadRoute),
  route("POST", "/:/fork", async () => (await import("./threads.ts")).forkRoute),
  route("GET", "/:/export", async () => (await import("./records.ts")).exportRoute),
  route("GET", "/:/usage", async () => (await import("./records.ts")).usageRoute),
  route("GET", "/:/messages", async () => (await import("./messages.ts")).listMessagesRoute),
  route("POST", "/:/messages", async () => (await import("./messages.ts")).appendRoute),
  route("GET", "/:/messages/:", async () => (await import("./messages.ts")).getMessageRoute),
  route("DELETE", "/:/messages/:", async () => (await import("./messages.ts")).deleteMessageRoute),
  route("GET", "/:/messages/:/siblings", async () => (await import("./messages.ts")).siblingsRoute),
  route("POST", "/:/active_leaf", async () => (await import("./messages.ts")).activeLeafRoute),
  { ...route("POST", "/:/runs", async () => (await import("./runs.ts")).createRunRoute), replay },
  route("GET", "/:/runs", async () => (await import("./runs.ts")).listRunsRoute),
  route("GET", "/:/runs/:", async () => (await import("./runs.ts")).getRunRoute),
  route("GET", "/:/runs/:/events", async () => (await import("./events.ts")).eventsRoute),
  route("POST", "/:/runs/:/cancel", async () => (await import("./runs.ts")).cancelRunRoute),
  { ...route("POST", "/:/runs/:/tool_outputs", async () => (await import("./runs.ts")).toolOutputsRoute), replay },
];
