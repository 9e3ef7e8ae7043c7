// Keys written in the configuration, compared in constant time.
import type { AuthConfig } from "../config-types.ts";
import { type Caller, defaultTenant } from "./caller.ts";

/** Under open access whoever reaches this machine is its owner. */
export const openCaller: Caller = {
  name: "open",
  open: true,
  tenant: defaultTenant,
  owner: "open",
  user: "open",
  key: "",
  roles: ["admin"],
  everywhere: true,
};

/** Keys are compared in slots of this size, filled up with zeros; the last bytes hold the length, and whether it is a digest. */
const slotSize = 256;

/**
 * The caller whose key it is. Every key is compared, in slots of one size, so that neither the place nor the length of a difference
 * shows in the time it takes. Nothing is remembered between calls; a comparison costs less than a hash of the key would.
 */
export const createStaticKeys = (auth: AuthConfig): ((credential: string) => Caller | undefined) => {
  const { hash, timingSafeEqual } = process.getBuiltinModule("node:crypto");
  const write = (slot: Buffer, text: string): void => {
    slot.fill(0);
    // What is longer than a slot stands in it by its digest.
    const fits = text.length < slotSize / 3 - 1;
    slot[slotSize - 1] = slot.write(fits ? text : hash("sha256", text, "hex"));
    slot[slotSize - 2] = fits ? 0 : 1;
  };
  const keys = auth.keys.map(({ name, id = `config:${name}`, key, tenant = defaultTenant, owner = name, ...rest }) => {
    const slot = Buffer.alloc(slotSize);
    write(slot, key);
    const { roles = ["operator"], everywhere, scopes, limits } = rest;
    const caller: Caller = {
      name,
      open: false,
      tenant,
      owner,
      user: owner,
      key: id,
      roles,
      ...(everywhere === undefined ? {} : { everywhere }),
      ...(scopes === undefined ? {} : { scopes }),
      ...(limits === undefined ? {} : { limits }),
    };
    return { caller, slot };
  });
  const given = Buffer.alloc(slotSize);
  return (credential) => {
    write(given, credential);
    let found: Caller | undefined;
    for (const key of keys) if (timingSafeEqual(key.slot, given)) found = key.caller;
    given.fill(0);
    return found;
  };
};
