// A name that ends in `*` is a name, not a pattern: who is called so reaches nobody else.
import { afterAll, beforeAll, expect, test } from "vitest";
import { dataFolder } from "../../support/data.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";
import { adminOf, expectProblem } from "./client.ts";

const folder = dataFolder();
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway(
    `
providers: { echo: { kind: echo, pace: 0 } }
auth:
  roles: { issuer: ["keys:*", "models:*", "threads:read"] }
  keys:
    - { name: star, key: canary-star-key-0123456789, tenant: "*", roles: [admin] }
    - { name: acme, key: canary-acme-key-0123456789, tenant: acme, roles: [admin] }
    - { name: "b*", key: canary-half-key-0123456789, tenant: acme, owner: "b*", roles: [issuer] }
`,
    { HEDDLE_DATA: folder.path },
  );
});
afterAll(async () => {
  await gateway.stop();
  folder.remove();
});

test("a tenant's rules are for that tenant", async () => {
  const star = adminOf(gateway, "canary-star-key-0123456789");
  const made = await star.post("/limits/rates", { name: "mine", by: "tenant", requestsPerMinute: 0.001 });
  expectProblem(made, 400, "invalid_request", "match.tenants");
  const rules = await adminOf(gateway, "canary-acme-key-0123456789").get("/limits/rates");
  expect(rules.text).not.toContain("mine");
});

test("a key acts for nobody whom its creator doesn't act for", async () => {
  const half = adminOf(gateway, "canary-half-key-0123456789");
  const wanted = { name: "more", roles: ["issuer"], owner: "b*", scopes: { owners: ["b*"] } };
  expectProblem(await half.post("/keys", wanted), 403, "permission", "scopes.owners");
});
