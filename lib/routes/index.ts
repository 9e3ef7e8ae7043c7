// All routes, and the wire whose envelope a path's errors wear.
import type { HeddleConfig } from "../config-types.ts";
import type { Call } from "../model/call.ts";
import type { ClientWireId } from "../model/wire-id.ts";
import type { ClientWire } from "../wires/wire.ts";
import { clientWires } from "../wires/index.ts";
import { adminRoutes } from "./admin/index.ts";
import { chatRoutes } from "./chat.ts";
import { countRoutes } from "./count-tokens.ts";
import { healthRoutes } from "./health.ts";
import { modelRoutes } from "./models.ts";
import type { Route } from "./route.ts";
import { serviceRoutes } from "./services.ts";
import { threadRoutes } from "./threads/index.ts";
import { siiliRoutes } from "./siili/index.ts";

export { asksForArray } from "./chat.ts";

const routesEverywhere: readonly Route[] = [
  ...chatRoutes,
  ...countRoutes,
  ...modelRoutes,
  ...serviceRoutes,
  ...threadRoutes,
  ...healthRoutes,
  ...adminRoutes,
];

/** Those that stand where the configuration says come last. */
export const routesOf = ({ siili }: HeddleConfig): readonly Route[] => [
  ...routesEverywhere,
  ...siiliRoutes(siili.prefix),
];

const byPath: readonly [RegExp, ClientWireId][] = [
  [/^\/v1\/messages(?:\/|$)/, "anthropic-messages"],
  [/^\/v1\/chat\//, "openai-chat"],
  [/^\/v1\/(?:responses|conversations)(?:\/|$)/, "openai-responses"],
  [/^\/v1beta\//, "gemini-generate"],
  [/^\/v1\/.+:(?:generateContent|streamGenerateContent|countTokens)$/, "gemini-generate"],
  [/^\/v1\/models\/.+:[A-Za-z]+$/, "gemini-generate"],
];

/** By the path; where it tells nothing (`/v1/models`, or no route at all), by the headers only they send (PROTOCOLS section 1). */
export const wireOf = (call: Call): ClientWire => {
  for (const [pattern, id] of byPath) if (pattern.test(call.path)) return clientWires[id];
  if ("x-goog-api-key" in call.headers || "x-goog-api-client" in call.headers || /(?:^|&)key=/.test(call.query))
    return clientWires["gemini-generate"];
  return clientWires["anthropic-version" in call.headers ? "anthropic-messages" : "openai-chat"];
};
