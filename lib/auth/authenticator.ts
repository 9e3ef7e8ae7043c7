// Who calls, whatever the credential: open access, a key of the configuration, a key that was made later, a token.
import type { HeddleConfig } from "../config-types.ts";
import type { Call } from "../model/call.ts";
import type { Secrets } from "../secrets/secrets.ts";
import type { Table } from "../stores/table.ts";
import type { Caller } from "./caller.ts";
import type { Control } from "./control.ts";
import { credentialOf } from "./credential.ts";
import type { PepperSource } from "./keys/peppers.ts";
import type { Authenticated, Behind, KeyReader } from "./keys/reader.ts";
import type { KeyStore } from "./keys/types.ts";
import type { Policy } from "./policy.ts";
import { refused, unknownKey } from "./refused.ts";
import { createStaticKeys, openCaller } from "./static-keys.ts";

export type { Authenticated } from "./keys/reader.ts";

/** Undefined where it is no token; `credential` is absent where the call has none that is known by its place. */
export type Tokens = (credential: string | undefined, call: Call) => Caller | Promise<Caller> | undefined;

export type AuthenticatorServices = {
  config: Pick<HeddleConfig, "auth" | "environment">;
  /** Where the pepper comes from; undefined: only the configuration's keys and tokens are known. */
  secrets: Secrets | undefined;
  /** Opened when a key is first looked up; undefined where nothing is kept. */
  table: (() => Promise<Table>) | undefined;
  control: Control | undefined;
  policy: Policy;
  clock: { now: () => number };
  tokens?: Tokens;
};

export type Authenticator = {
  /**
   * At once where nothing has to be read. Throws or rejects `authentication`, and `storage` where a key can't be looked up. `behind`
   * takes what may end after the answer.
   */
  authenticate: (call: Call, behind: Behind) => Authenticated | Promise<Authenticated>;
  /** The keys that are made while the gateway runs; undefined where they can't be: without a table or secrets. */
  keys: (() => Promise<KeyStore>) | undefined;
};

/** What serves keys that are made later is loaded with the first of them. */
const createKeys = (services: AuthenticatorServices, secrets: Secrets) => {
  const { config, table, control, clock, policy } = services;
  const { environment } = config;
  let peppers: Promise<PepperSource> | undefined;
  const openPeppers = (): Promise<PepperSource> =>
    (peppers ??= import("./keys/peppers.ts").then(({ createPeppers }) => createPeppers(secrets, clock)));

  let reader: KeyReader | undefined;
  const openReader = async (): Promise<KeyReader> => {
    const [{ createKeyReader }, source] = await Promise.all([import("./keys/reader.ts"), openPeppers()]);
    const { onStoreFailure = "closed" } = config.auth;
    return (reader ??= createKeyReader({ table, peppers: source, control, environment, onStoreFailure, clock }));
  };

  let store: Promise<KeyStore> | undefined;
  const openStore = async (opened: () => Promise<Table>, state: Control): Promise<KeyStore> => {
    const [{ createKeyStore }, source] = await Promise.all([import("./keys/store.ts"), openPeppers()]);
    const changed = (id: string): void => reader?.forget(id);
    return createKeyStore({ table: opened, peppers: source, control: state, policy, environment, clock, changed });
  };
  return {
    authenticate: (text: string, behind: Behind): Authenticated | Promise<Authenticated> =>
      reader === undefined
        ? openReader().then((opened) => opened.authenticate(text, behind))
        : reader.authenticate(text, behind),
    store:
      table === undefined || control === undefined
        ? undefined
        : (): Promise<KeyStore> => (store ??= openStore(table, control)),
  };
};

export const createAuthenticator = (services: AuthenticatorServices): Authenticator => {
  const { config, secrets, tokens } = services;
  const keys = secrets === undefined ? undefined : createKeys(services, secrets);
  const store = keys?.store;
  if (config.auth.mode === "open") {
    const open: Authenticated = { caller: openCaller };
    return { authenticate: () => open, keys: store };
  }
  const staticKey = createStaticKeys(config.auth);
  return {
    authenticate: (call, behind) => {
      const credential = credentialOf(call);
      const found = credential === undefined ? undefined : staticKey(credential);
      if (found !== undefined) return { caller: found };
      if (credential?.startsWith("hdl_") === true && keys !== undefined) return keys.authenticate(credential, behind);
      const token = tokens?.(credential, call);
      if (token !== undefined)
        return token instanceof Promise ? token.then((caller) => ({ caller })) : { caller: token };
      throw credential === undefined
        ? refused("No API key was given: send one as a bearer token, x-api-key, x-goog-api-key or api-key.")
        : unknownKey();
    },
    keys: store,
  };
};
