// On Azure the platform says who has signed in, by headers: no caller can say so instead, neither by headers of its own nor by what the host
// takes for headers.
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startHost } from "../../functions/local/azure/host.ts";
import { startFunctions, type TestFunctions } from "../support/azure.ts";
import { type DataFolder, dataFolder } from "../support/data.ts";

const objectId = "0f0f0f0f-1111-2222-3333-abcdefabcdef";
const principal = Buffer.from(
  JSON.stringify({ auth_typ: "aad", name_typ: "name", role_typ: "roles", claims: [{ typ: "oid", val: objectId }] }),
).toString("base64");
const principalHeaders = { "x-ms-client-principal": principal, "x-ms-client-principal-id": objectId };

let folder: DataFolder;
/** Behind App Service's authentication, and without it. */
let proven: TestFunctions;
let open: TestFunctions;
beforeAll(async () => {
  folder = dataFolder();
  const entry = pathToFileURL(join(import.meta.dirname, "../../functions/azure/index.ts")).href;
  const files = {
    "index.ts": `import ${JSON.stringify(entry)};`,
    "package.json": JSON.stringify({ type: "module", main: "index.ts" }),
    "host.json": JSON.stringify({ version: "2.0", extensions: { http: { routePrefix: "" } } }),
    "heddle.yaml": `auth: { identities: [{ objectId: ${objectId}, tenant: acme, roles: [member] }] }`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder.path, name), text);
  const env = { HEDDLE_CONFIG: join(folder.path, "heddle.yaml"), AzureWebJobsDisableHomepage: "true" };
  [proven, open] = await Promise.all([
    startFunctions(folder.path, { env: { ...env, WEBSITE_AUTH_ENABLED: "True" } }),
    startFunctions(folder.path, { env }),
  ]);
});
afterAll(async () => {
  await Promise.all([proven.stop(), open.stop()]);
  folder.remove();
});

type Spoof = { query?: string; headers?: Record<string, string>; members?: object };

const call = async (app: TestFunctions, { query = "", headers = {}, members = {} }: Spoof): Promise<number> => {
  const response = await fetch(`${app.url}/v1/chat/completions${query}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "echo/echo", messages: [{ role: "user", content: "Hello" }], ...members }),
  });
  await response.arrayBuffer();
  return response.status;
};

const asQuery = encodeURIComponent(JSON.stringify(principalHeaders));

describe("who has signed in", () => {
  test("is App Service's word where its authentication is on", async () => {
    expect(await call(proven, { headers: principalHeaders })).toBe(200);
    expect(await call(proven, {})).toBe(401);
  });

  test("is nobody's word where it is off", async () => {
    expect(await call(open, { headers: principalHeaders })).toBe(401);
  });

  test.each<[string, Spoof]>([
    ["a query", { query: `?Headers=${asQuery}` }],
    ["a query in another spelling", { query: `?headers=${asQuery}` }],
    ["a body's member", { members: { Headers: JSON.stringify(principalHeaders) } }],
    ["both", { query: `?Headers=${asQuery}`, members: { headers: JSON.stringify(principalHeaders) } }],
  ])("is not what %s says in the headers' place", async (_, spoof) => {
    expect(await call(proven, spoof)).not.toBe(200);
    expect(await call(open, spoof)).not.toBe(200);
  });
});

test("past the host, at the library's own port, nobody reaches a function", async () => {
  const appFolder = join(import.meta.dirname, "../functions/azure/arrivals-app");
  const host = await startHost({ appFolder, settings: { ARRIVAL_MS: "500" }, port: 0, log: () => undefined });
  try {
    const { httpUri = "" } = await host.worker();
    const headers = { "x-forwarded-host": "app", "x-forwarded-proto": "https", ...principalHeaders };
    const asked = fetch(new URL("/v1/models", httpUri), {
      headers: { ...headers, "x-ms-invocation-id": randomUUID() },
    });
    // Answered so, or not at all.
    expect([400, "closed"]).toContain(
      await asked.then(
        ({ status }) => status,
        () => "closed",
      ),
    );
  } finally {
    await host.stop();
  }
});
