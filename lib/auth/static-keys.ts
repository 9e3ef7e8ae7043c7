// Keys written in the configuration, compared in constant time.
import type { AuthConfig } from "../config-types.ts";
import type { Call } from "../model/call.ts";
import { GatewayError } from "../model/error.ts";
import { credentialOf } from "./credential.ts";

export type Caller = {
  /** The key's name; `open` under open access. */
  name: string;
  open: boolean;
};

const refused = (message: string): GatewayError =>
  new GatewayError("authentication", message, { headers: { "www-authenticate": "Bearer" } });

/**
 * Throws `authentication`. Every key is compared, by digests of one length, so that neither the place nor the length of a
 * difference shows in the time it takes. Nothing is remembered between calls; one hash and a comparison per key cost a few µs.
 */
export const createAuthenticator = (auth: AuthConfig): ((call: Call) => Caller) => {
  if (auth.mode === "open") {
    const caller: Caller = { name: "open", open: true };
    return () => caller;
  }
  const { hash, timingSafeEqual } = process.getBuiltinModule("node:crypto");
  const digest = (text: string): Buffer => hash("sha256", text, "buffer");
  const keys = auth.keys.map(({ name, key }) => ({ caller: { name, open: false }, digest: digest(key) }));
  return (call) => {
    const given = credentialOf(call);
    if (given === undefined)
      throw refused("No API key was given: send one as a bearer token, x-api-key, x-goog-api-key or api-key.");
    const hashed = digest(given);
    let found: Caller | undefined;
    for (const key of keys) if (timingSafeEqual(key.digest, hashed)) found = key.caller;
    if (found === undefined) throw refused("The API key is not valid here.");
    return found;
  };
};
