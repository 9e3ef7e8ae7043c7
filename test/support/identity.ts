// The endpoint at which an app on Azure gets its managed identity's tokens, as App Service and Functions have it on loopback.
import { createServer } from "node:http";
import { once } from "node:events";

export type LocalIdentity = {
  /** What the platform sets for the app's process. */
  env: { IDENTITY_ENDPOINT: string; IDENTITY_HEADER: string };
  /** What was asked for, one entry each request: the resource, and the client id if one was named. */
  asked: { resource: string; clientId: string | undefined }[];
  /** What becomes of the next requests; the last entry stands until it is changed. Default: a token of one hour. */
  plan: { status?: number; body?: string; seconds?: number; silent?: boolean; drop?: boolean }[];
  /** Whether a token is one of those given, for that resource. */
  knows: (token: string, resource: string) => boolean;
  /** All that were given. */
  tokens: () => string[];
  stop: () => Promise<void>;
};

const header = "a-fake-identity-header";

type MakeToken = (resource: string, seconds: number, serial: number) => string;

const bareToken: MakeToken = (_resource, _seconds, serial) => `a-fake-token-${serial}`;

/** For services that read what a token says: signed by nobody. */
export const jwt: MakeToken = (resource, seconds, serial) => {
  const now = Math.floor(Date.now() / 1_000);
  const claims = {
    aud: resource,
    iss: "https://sts.windows.net/a-fake-tenant/",
    iat: now - 60,
    nbf: now - 60,
    exp: now + seconds,
    jti: `a-fake-token-${serial}`,
  };
  const parts = [{ typ: "JWT", alg: "none" }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  return [...parts, "a-fake-signature"].join(".");
};

/** One for a process: the SDK remembers the first that it sees. */
export const startIdentity = async (makeToken: MakeToken = bareToken): Promise<LocalIdentity> => {
  const asked: LocalIdentity["asked"] = [];
  const plan: LocalIdentity["plan"] = [];
  const given = new Map<string, string>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const resource = url.searchParams.get("resource") ?? "";
    const wrong =
      request.headers["x-identity-header"] !== header ||
      url.searchParams.get("api-version") !== "2019-08-01" ||
      resource === "";
    const step = (plan.length > 1 ? plan.shift() : plan[0]) ?? {};
    asked.push({ resource, clientId: url.searchParams.get("client_id") ?? undefined });
    if (step.drop === true) request.socket.destroy();
    if (step.silent === true || step.drop === true) return;
    response.writeHead(wrong ? 401 : (step.status ?? 200), { "content-type": "application/json" });
    if (wrong || step.body !== undefined) return void response.end(step.body ?? "{}");
    const seconds = step.seconds ?? 3_600;
    const token = makeToken(resource, seconds, given.size + 1);
    given.set(token, resource);
    response.end(
      JSON.stringify({
        access_token: token,
        expires_on: String(Math.floor(Date.now() / 1_000) + seconds),
        resource,
        token_type: "Bearer",
        client_id: url.searchParams.get("client_id") ?? "system",
      }),
    );
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("No port.");
  return {
    env: { IDENTITY_ENDPOINT: `http://127.0.0.1:${address.port}/msi/token`, IDENTITY_HEADER: header },
    asked,
    plan,
    knows: (token, resource) => given.get(token) === resource,
    tokens: () => [...given.keys()],
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
