// `heddle keys create --admin`: the first key, made on the box where the data lie, with or without a server beside it.
import { join } from "node:path";
import { createAuthenticator } from "../../../lib/auth/authenticator.ts";
import { createControl } from "../../../lib/auth/control.ts";
import type { KeyStore } from "../../../lib/auth/keys/types.ts";
import { createPolicy } from "../../../lib/auth/policy.ts";
import { loadConfig } from "../../../lib/config.ts";
import type { Table } from "../../../lib/stores/table.ts";
import { audited } from "../../../lib/routes/admin/audit-log.ts";
import { keyObject } from "../../../lib/routes/admin/key-fields.ts";
import { localSecrets } from "../platform.ts";
import { Failure, type Io } from "./io.ts";
import { operator } from "./operator.ts";

const clock = { now: Date.now };
const newId = (): string => crypto.randomUUID().replaceAll("-", "").slice(0, 24);

const make = async (table: Table, keys: KeyStore, name: string): Promise<object> => {
  const { key, record } = await audited(
    { table, clock, newId },
    { caller: operator, invocation: { requestId: `cli-${newId()}` } },
    {
      action: "keys.create",
      target: "",
      tenant: operator.tenant,
      changes: { name, roles: ["admin"], everywhere: true },
    },
    () => keys.create(operator, { name, roles: ["admin"], everywhere: true }),
    (created) => created.record.id,
  );
  return { ...keyObject(record, Date.now()), key };
};

/** The key and its record, as the admin API gives them. Throws Failure where nothing is stored. */
export const createAdminKey = async ({ name, io }: { name: string; io: Io }): Promise<object> => {
  const config = await loadConfig({ env: io.env, readFile: io.readFile });
  if (config.storage === "none") throw new Failure("nothing is stored here: the configuration says storage: none");
  if (config.auth.mode === "open")
    io.err(
      "note: access is open (on loopback): keys are asked for once auth.mode is keys, or HEDDLE_ADMIN_KEY is set\n",
    );
  const { openSqlite } = await import("../../../lib/stores/sqlite.ts");
  const table = await openSqlite({ file: join(config.dataDir, "heddle.db") });
  try {
    const { keys } = createAuthenticator({
      config,
      secrets: localSecrets(config, (variable) => io.env[variable]),
      table: () => Promise.resolve(table),
      control: createControl(table, clock),
      policy: createPolicy(config.auth.roles),
      clock,
    });
    if (keys === undefined) throw new Failure("keys can't be made here");
    return await make(table, await keys(), name);
  } finally {
    await table.close();
  }
};
