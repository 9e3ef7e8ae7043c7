// Where things are kept: each place is written, read and emptied again with something of the doctor's own.
import { join } from "node:path";
import { defaultTenant } from "../../../lib/auth/caller.ts";
import { createAuthenticator } from "../../../lib/auth/authenticator.ts";
import { createControl } from "../../../lib/auth/control.ts";
import { createPeppers } from "../../../lib/auth/keys/peppers.ts";
import type { KeyRecord, KeyStore } from "../../../lib/auth/keys/types.ts";
import { createPolicy } from "../../../lib/auth/policy.ts";
import type { HeddleConfig } from "../../../lib/config-types.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import { createInProcessQueue } from "../../../lib/queues/in-process.ts";
import type { Secrets } from "../../../lib/secrets/secrets.ts";
import type { Table } from "../../../lib/stores/table.ts";
import { listTenants } from "../../../lib/usage/tenants.ts";
import { fail, type Finding, ok, warn } from "./findings.ts";
import { operator } from "./operator.ts";

/** A stranger's message may hold anything. */
const reasonOf = (thrown: unknown): string => {
  if (thrown instanceof GatewayError) return thrown.message;
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "it failed";
};

const examineTable = async (table: Table, file: string): Promise<Finding> => {
  const key = { pk: "~doctor", sk: `probe:${crypto.randomUUID()}` };
  const written = await table.put({ ...key, data: { probe: true } }, { item: "absent" });
  const read = await table.get(key);
  await table.delete(key);
  const gone = await table.get(key);
  return written.ok && read?.data["probe"] === true && gone === undefined
    ? ok("store", `${file} is written and read`)
    : fail("store", `${file} does not give back what was written`, "move it away, and restore a copy");
};

const examineBlobs = async (folder: string): Promise<Finding> => {
  try {
    const { openFileBlobs } = await import("../../../lib/blobs/files.ts");
    const blobs = openFileBlobs({ folder });
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    const hash = await blobs.put("~doctor", bytes);
    const read = await blobs.get("~doctor", hash);
    await blobs.delete("~doctor", hash);
    return read !== undefined && Buffer.from(read).equals(bytes)
      ? ok("blobs", `${folder} is written and read`)
      : fail("blobs", `${folder} does not give back what was written`, "check the disk");
  } catch (thrown) {
    return fail("blobs", `${folder}: ${reasonOf(thrown)}`, "let the gateway's user write the folder (HEDDLE_DATA)");
  }
};

const examineQueue = async (): Promise<Finding> => {
  let came: string | undefined;
  const queue = createInProcessQueue({
    handler: ({ id }) => {
      came = id;
      return Promise.resolve();
    },
    sleep: () => Promise.resolve(),
    onFailure: () => undefined,
  });
  await queue.send({ id: "doctor" });
  await queue.idle();
  await queue.close();
  return came === "doctor"
    ? ok("queue", "in this process")
    : fail("queue", "a message did not come back", "start the gateway anew");
};

export const examineSecrets = async ({ auth }: Pick<HeddleConfig, "auth">, secrets: Secrets): Promise<Finding> => {
  try {
    const peppers = await createPeppers(secrets, { now: Date.now })();
    if (peppers === undefined)
      return auth.mode === "open"
        ? ok("secrets", "no pepper, and none is needed")
        : warn("secrets", "no pepper: no keys can be made", "set HEDDLE_PEPPER to 32 random characters or more");
    return ok("secrets", peppers.length > 1 ? "the pepper is there, and the one before it" : "the pepper is there");
  } catch (thrown) {
    const mend = "set HEDDLE_PEPPER, or let the gateway's user read the folder secrets";
    return fail("secrets", reasonOf(thrown), mend);
  }
};

const nearDays = 14;
const day = 86_400_000;

const expiring = async (table: Table, keys: KeyStore, config: HeddleConfig, now: number): Promise<KeyRecord[]> => {
  const tenants = new Set([defaultTenant, ...config.auth.keys.map(({ tenant = defaultTenant }) => tenant)]);
  for await (const { tenant } of listTenants(table)) tenants.add(tenant);
  const found: KeyRecord[] = [];
  for (const tenant of tenants) {
    let cursor: string | undefined;
    do {
      const page = await keys.list(operator, { tenant, limit: 100, ...(cursor === undefined ? {} : { cursor }) });
      for (const key of page.keys) {
        const { expiresAt = Infinity, revokedAt, replacedBy } = key;
        if (revokedAt === undefined && replacedBy === undefined && expiresAt > now && expiresAt < now + nearDays * day)
          found.push(key);
      }
      cursor = page.next;
    } while (cursor !== undefined);
  }
  return found;
};

const examineKeys = async (table: Table, config: HeddleConfig, secrets: Secrets, now: number): Promise<Finding> => {
  const clock = { now: () => now };
  const { keys } = createAuthenticator({
    config,
    secrets,
    table: () => Promise.resolve(table),
    control: createControl(table, clock),
    policy: createPolicy(config.auth.roles),
    clock,
  });
  if (keys === undefined) return ok("keys", "none are made here");
  const near = await expiring(table, await keys(), config, now);
  if (near.length === 0) return ok("keys", `none expires within ${nearDays} days`);
  const names = near.map(
    ({ name, id, expiresAt = now }) => `${name} (${id}) in ${Math.ceil((expiresAt - now) / day)} d`,
  );
  return warn("keys", `near their end: ${names.join(", ")}`, "heddle keys rotate ID");
};

export const examineStorage = async (config: HeddleConfig, secrets: Secrets, now: number): Promise<Finding[]> => {
  if (config.storage === "none")
    return [
      warn("store", "nothing is kept (storage: none)", "set storage: sqlite where threads, keys or limits are wanted"),
    ];
  const file = join(config.dataDir, "heddle.db");
  const findings: Finding[] = [];
  try {
    const { openSqlite } = await import("../../../lib/stores/sqlite.ts");
    const table = await openSqlite({ file });
    try {
      findings.push(await examineTable(table, file), await examineKeys(table, config, secrets, now));
    } finally {
      await table.close();
    }
  } catch (thrown) {
    findings.push(
      fail("store", `${file}: ${reasonOf(thrown)}`, "let the gateway's user write the folder (HEDDLE_DATA)"),
    );
  }
  return [...findings, await examineBlobs(join(config.dataDir, "blobs")), await examineQueue()];
};
