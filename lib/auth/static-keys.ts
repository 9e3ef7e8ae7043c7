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

/** Throws `authentication`. Every key is compared, by digests of one length, so that neither place nor length of a difference shows. */
export const createAuthenticator = (auth: AuthConfig): ((call: Call) => Caller) => {
  if (auth.mode === "open") {
    const caller: Caller = { name: "open", open: true };
    return () => caller;
  }
  const { createHash, timingSafeEqual } = process.getBuiltinModule("node:crypto");
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  const keys = auth.keys.map(({ name, key }) => ({ caller: { name, open: false }, digest: digest(key) }));
  return (call) => {
    const given = credentialOf(call);
    if (given === undefined)
      throw new GatewayError("authentication", "No API key was given: send one as a bearer token, x-api-key, x-goog-api-key or api-key.");
    const hash = digest(given);
    let found: Caller | undefined;
    for (const key of keys) if (timingSafeEqual(key.digest, hash)) found = key.caller;
    if (found === undefined) throw new GatewayError("authentication", "The API key is not valid here.");
    return found;
  };
};
