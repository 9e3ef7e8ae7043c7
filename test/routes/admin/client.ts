// Callers of the admin API on a gateway that keeps things.
import {
  type Answer,
  type Body,
  clientOf as threadClient,
  at,
  dataOf,
  expectProblem,
  textAt,
} from "../threads/client.ts";
import { dataFolder } from "../../support/data.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";

export { at, dataOf, expectProblem, textAt, threadClient };

export const adminKey = "canary-admin-key-0123456789-0123456789";
export const keyOf = (name: string): string => `canary-${name}-key-0123456789`;

/** Two tenants, with a key for each role of `acme`. `root` administers all. */
const tenants = `
providers: { echo: { kind: echo, pace: 0 } }
auth:
  keys:
    - { name: viewer, key: "${keyOf("viewer")}", tenant: acme, roles: [viewer] }
    - { name: member, key: "${keyOf("member")}", tenant: acme, roles: [member] }
    - { name: operator, key: "${keyOf("operator")}", tenant: acme, roles: [operator] }
    - { name: admin, key: "${keyOf("admin")}", tenant: acme, roles: [admin] }
    - { name: rival, key: "${keyOf("rival")}", tenant: rival, roles: [admin] }
`;

export type Admin = {
  call: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;
  get: (path: string) => Promise<Answer>;
  post: (path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;
};

export const adminOf = (gateway: TestGateway, key: string): Admin => {
  const call: Admin["call"] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${gateway.url}/v1/admin${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /[/+]json$/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, body: isJson ? (JSON.parse(text) as Body) : {}, text, headers: response.headers };
  };
  return {
    call,
    get: (path) => call("GET", path),
    post: (path, body, headers) => call("POST", path, body, headers),
  };
};

export type Place = {
  gateway: TestGateway;
  path: string;
  as: (name: "viewer" | "member" | "operator" | "admin" | "rival" | "root") => Admin;
  stop: () => Promise<void>;
};

export const startAdmin = async (more = ""): Promise<Place> => {
  const data = dataFolder();
  const gateway = await startGateway(tenants + more, { HEDDLE_DATA: data.path, HEDDLE_ADMIN_KEY: adminKey });
  return {
    gateway,
    path: data.path,
    as: (name) => adminOf(gateway, name === "root" ? adminKey : keyOf(name)),
    stop: async () => {
      await gateway.stop();
      data.remove();
    },
  };
};
