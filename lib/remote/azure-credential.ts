// The one credential of a process on Azure: the managed identity where the platform gives one, else what a developer is logged in with.
import type * as identity from "@azure/identity";
import type { AccessToken, GetTokenOptions, TokenCredential } from "@azure/identity";

type Environment = Readonly<Record<string, string | undefined>>;
type Sdk = Pick<typeof identity, "ManagedIdentityCredential" | "DefaultAzureCredential">;

/** The identity endpoint is on the same machine. A login's command line takes seconds. */
const managedMs = 5_000;
const loginMs = 30_000;
/** A token that can't be renewed serves until so long before its end. */
const spareMs = 60_000;
/** Before it is asked again, for those who can't: a blink of it is nobody's failure. */
const waitsMs = [50, 250];

/** Functions, App Service and Container Apps set both. */
const isManaged = (env: Environment): boolean =>
  (env["IDENTITY_ENDPOINT"] ?? "") !== "" && (env["IDENTITY_HEADER"] ?? "") !== "";

const make = (sdk: Sdk, env: Environment): TokenCredential => {
  if (!isManaged(env)) return new sdk.DefaultAzureCredential();
  const clientId = env["AZURE_CLIENT_ID"] || undefined;
  // Its own tries go on for longer than a caller waits.
  const retryOptions = { maxRetries: 0 };
  return new sdk.ManagedIdentityCredential({ retryOptions, ...(clientId === undefined ? {} : { clientId }) });
};

const memberOf = (error: unknown, name: "status" | "errorCode"): unknown =>
  error instanceof Error && name in error ? (error as unknown as Record<string, unknown>)[name] : undefined;

/** Entra's own code (which the SDK of Cosmos DB looks for in the message), the endpoint's status, or the SDK's code. */
const codeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return typeof error;
  const entra = /\bAADSTS\d+\b/.exec(error.message)?.[0];
  if (entra !== undefined) return entra;
  const status = memberOf(error.cause, "status");
  if (typeof status === "number") return `HTTP ${status}`;
  const code = memberOf(error.cause, "errorCode");
  return typeof code === "string" && /^[a-z_]{1,60}$/.test(code) ? code : error.name;
};

/** The SDK's own message may quote what the endpoint answered, token and all: it is not handed on, not even as a cause. */
const refusal = (code: string): Error =>
  Object.assign(new Error(`Entra ID gave no token: ${code}.`), { name: "CredentialUnavailableError", code });

const bounded = async (asking: Promise<AccessToken>, ms: number): Promise<AccessToken> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(refusal(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([asking, late]);
  } finally {
    clearTimeout(timer);
  }
};

const loadIdentity = (): Promise<Sdk> => import("@azure/identity");

/**
 * The SDK keeps tokens and renews them; what it doesn't do is ask once for many callers at a time, give up on an endpoint
 * that never answers, and hand out a good token that it failed to renew early: these are done here. Loads the SDK when first asked. `getToken` throws a `CredentialUnavailableError`
 * (see `azureJudge`) whose message and `code` hold nothing secret. `env` must say what the process's own environment says,
 * which the SDK reads for itself.
 */
export const createAzureCredential = (
  env: Environment,
  load: () => Promise<Sdk> = loadIdentity,
  timeoutMs: number = isManaged(env) ? managedMs : loginMs,
): TokenCredential => {
  let loading: Promise<TokenCredential> | undefined;
  const asking = new Map<string, Promise<AccessToken>>();
  const last = new Map<string, AccessToken>();

  const askOnce = async (scopes: string | string[], options: GetTokenOptions): Promise<AccessToken> => {
    try {
      loading ??= load().then((sdk) => make(sdk, env));
      const token = await (await loading).getToken(scopes, options);
      if (token !== null) return token;
    } catch (thrown) {
      throw refusal(codeOf(thrown));
    }
    throw refusal("no answer");
  };
  const ask = async (scopes: string | string[], options: GetTokenOptions): Promise<AccessToken> => {
    for (const wait of isManaged(env) ? waitsMs : []) {
      try {
        return await askOnce(scopes, options);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
    return askOnce(scopes, options);
  };

  return {
    getToken: (scopes, { tenantId, enableCae, claims } = {}) => {
      const key = JSON.stringify([[scopes].flat(), tenantId, enableCae, claims]);
      // No caller's signal goes along: others wait for the same answer.
      const options = {
        ...(tenantId === undefined ? {} : { tenantId }),
        ...(enableCae === undefined ? {} : { enableCae }),
        ...(claims === undefined ? {} : { claims }),
      };
      const renew = async (): Promise<AccessToken> => {
        try {
          const token = await bounded(ask(scopes, options), timeoutMs);
          // Claims are asked for because a service wants no token from before.
          if (claims === undefined) last.set(key, token);
          return token;
        } catch (thrown) {
          const token = last.get(key);
          if (token !== undefined && token.expiresOnTimestamp - spareMs > Date.now()) return token;
          throw thrown;
        } finally {
          asking.delete(key);
        }
      };
      const running = asking.get(key) ?? renew();
      asking.set(key, running);
      return running;
    },
  };
};

let own: TokenCredential | undefined;

/** The credential of this process, for all that take none of their own. */
export const azureCredential = (): TokenCredential => (own ??= createAzureCredential(process.env));
