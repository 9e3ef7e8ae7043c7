// Open access trusts whoever reaches this machine's loopback. A web page that its owner visits does too: what a browser sends on a
// page's behalf is refused, directly (a form's POST) or by a name that was made to point here (DNS rebinding).
import type { Call } from "../model/call.ts";
import { GatewayError } from "../model/error.ts";

/** Names that no stranger can register: this machine, a bare address, one label, and the suffixes kept for private use. */
const own =
  /^(?:localhost|[\w-]+|(?:[\w-]+\.)+(?:localhost|local|internal|lan|home\.arpa|test)|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\])$/i;

const hostOf = (text: string): string => text.replace(/^[a-z][\w+.-]*:\/\//i, "").replace(/:\d+$/, "");

/** Throws `permission`. `origins`: those that CORS lets in, who are no strangers. */
export const refuseStrangers = (call: Call, origins: readonly string[]): void => {
  const { host, origin } = call.headers;
  if (host !== undefined && !own.test(hostOf(host)))
    throw new GatewayError(
      "permission",
      "Open access answers to this machine's own names alone: set auth.keys to serve others.",
    );
  if (origin === undefined || origins.includes(origin) || origins.includes("*")) return;
  const from = hostOf(origin);
  // Another page of this machine (a development server) is its owner's.
  if (/^(?:localhost|(?:[\w-]+\.)+localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i.test(from)) return;
  throw new GatewayError(
    "permission",
    "Under open access no page of another site may call: list its origin under cors.origins, or set auth.keys.",
  );
};
