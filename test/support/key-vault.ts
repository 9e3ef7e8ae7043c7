// A small Key Vault on loopback, with TLS and its challenge, for tests. Needs openssl: see `haveOpenssl`.
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { type Certificate, makeCertificate } from "./certificate.ts";

export type LocalKeyVault = {
  /** `https://heddle.vault.azure.net:port`: found by processes that have loaded `vault-host.ts`. */
  url: string;
  /** For a child process that is to reach it: it trusts the certificate, and finds the name here. */
  env: { NODE_EXTRA_CA_CERTS: string; NODE_OPTIONS: string };
  /** The certificate, for a client of this process: `tlsOptions: { ca }`. */
  ca: string;
  /** Sets a secret, a new version of it where there is one. `attributes` as on the wire: `enabled`, `exp`, `nbf` (seconds). */
  set: (name: string, value: string, attributes?: SecretAttributes) => void;
  /** Changes the newest version's attributes. */
  change: (name: string, attributes: SecretAttributes) => void;
  remove: (name: string) => void;
  /** While true, changes happen within the second of the one before. */
  hold: boolean;
  /** What is answered instead, for as long as it says something. `path` is `/secrets` or `/secrets/{name}/`. */
  instead: ((path: string) => VaultAnswer | undefined) | undefined;
  /** Paths of the requests that came with a token, and those without. */
  asked: string[];
  challenged: () => number;
  stop: () => Promise<void>;
};

type SecretAttributes = { enabled?: boolean; exp?: number; nbf?: number };
type VaultAnswer = {
  status: number;
  code?: string;
  headers?: Record<string, string>;
  /** As it is, in place of an error. */
  body?: string;
  /** No answer at all. */
  silent?: boolean;
};

export type KeyVaultSetup = {
  /** Secrets from the start. */
  secrets?: Readonly<Record<string, string>>;
  /** Whether a request's token is good. Default: any. */
  accepts?: (token: string) => boolean;
  /** Secrets on a page of the list; the service's own number is 25. */
  pageSize?: number;
  /** The resource that the challenge names. */
  resource?: string;
  /** For `vaultHost`; whoever made it removes it. Default: one of its own. */
  certificate?: Certificate;
};

type Stored = { value: string; version: number; attributes: SecretAttributes & { created: number; updated: number } };

export const vaultHost = "heddle.vault.azure.net";

export const startKeyVault = async (setup: KeyVaultSetup = {}): Promise<LocalKeyVault> => {
  const { accepts = () => true, pageSize = 25, resource = "https://vault.azure.net" } = setup;
  const certificate = setup.certificate ?? makeCertificate([vaultHost]);
  const secrets = new Map<string, Stored>();
  const asked: string[] = [];
  let challenged = 0;
  let second = 1_700_000_000;
  const nextSecond = (): number => (vault.hold ? second : (second += 1));
  let url = "";

  const answer = (response: ServerResponse, status: number, body: unknown, headers = {}): void => {
    response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
  const refuse = (response: ServerResponse, status: number, code: string, headers = {}): void =>
    answer(response, status, { error: { code, message: `The vault's words for ${code}.` } }, headers);
  const idOf = (name: string, stored?: Stored): string =>
    `${url}/secrets/${name}${stored === undefined ? "" : `/${stored.version.toString(16).padStart(32, "0")}`}`;

  const list = (response: ServerResponse, from: number): void => {
    const all = [...secrets].map(([name, { attributes }]) => ({
      id: idOf(name),
      attributes: { enabled: true, recoveryLevel: "Recoverable", ...attributes },
    }));
    const next = from + pageSize;
    const nextLink = next < all.length ? `${url}/secrets?api-version=7.4&$skiptoken=${next}` : null;
    answer(response, 200, { value: all.slice(from, next), nextLink });
  };
  const tell = (response: ServerResponse, name: string): void => {
    const stored = secrets.get(name);
    if (stored === undefined) return refuse(response, 404, "SecretNotFound");
    if (stored.attributes.enabled === false) return refuse(response, 403, "Forbidden");
    answer(response, 200, { value: stored.value, id: idOf(name, stored), attributes: stored.attributes });
  };
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const { pathname, searchParams } = new URL(request.url ?? "/", url);
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    if (token === undefined || !accepts(token)) {
      challenged += 1;
      const challenge = `Bearer authorization="https://login.microsoftonline.com/a-fake-tenant", resource="${resource}"`;
      return refuse(response, 401, "Unauthorized", { "www-authenticate": challenge });
    }
    asked.push(pathname);
    const planned = vault.instead?.(pathname);
    if (planned?.silent === true) return;
    if (planned?.body !== undefined) return answer(response, planned.status, planned.body, planned.headers);
    if (planned !== undefined) return refuse(response, planned.status, planned.code ?? "Planned", planned.headers);
    const name = /^\/secrets\/([^/]+)\/?$/.exec(pathname)?.[1];
    return name === undefined ? list(response, Number(searchParams.get("$skiptoken") ?? 0)) : tell(response, name);
  };

  const server = createServer({ key: certificate.key, cert: certificate.cert }, handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("No port.");
  url = `https://${vaultHost}:${address.port}`;

  const vault: LocalKeyVault = {
    url,
    env: {
      NODE_EXTRA_CA_CERTS: certificate.path,
      NODE_OPTIONS: `--import=${new URL("./vault-host.ts", import.meta.url).href}`,
    },
    ca: certificate.cert,
    set: (name, value, attributes = {}) => {
      const at = nextSecond();
      const version = (secrets.get(name)?.version ?? 0) + 1;
      secrets.set(name, { value, version, attributes: { ...attributes, created: at, updated: at } });
    },
    change: (name, attributes) => {
      const stored = secrets.get(name);
      if (stored === undefined) throw new Error(`No secret ${name}.`);
      stored.attributes = { ...stored.attributes, ...attributes, updated: nextSecond() };
    },
    remove: (name) => void secrets.delete(name),
    hold: false,
    instead: undefined,
    asked,
    challenged: () => challenged,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      if (setup.certificate === undefined) certificate.remove();
    },
  };
  for (const [name, value] of Object.entries(setup.secrets ?? {})) vault.set(name, value);
  return vault;
};
