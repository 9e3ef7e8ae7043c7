// API keys: make, list, read, change, rotate, revoke. What a key may be given, and by whom, is the key store's to say.
import type { CreatedKey, KeyRecord } from "../../auth/keys/types.ts";
import { GatewayError } from "../../model/error.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Reply } from "../../model/call.ts";
import { json, type RouteContext } from "../route.ts";
import { bodyFields, naming } from "../threads/access.ts";
import { listObject, pageOf } from "../threads/objects.ts";
import { keysOf, storeOf, tenantFor, tenantOf } from "./access.ts";
import { audited } from "./audit-log.ts";
import { decodeKeyChange, decodeNewKey, keyChangeFields, keyObject, newKeyFields } from "./key-fields.ts";

/** What can't be an id names nothing: no store is asked. */
const keyParam = ({ params: [id = ""] }: RouteContext): string => {
  if (!/^[A-Za-z0-9]{1,64}$/.test(id)) throw new GatewayError("not_found", "No such key.");
  return id;
};

/** The key store's names of fields, where this API has others. */
const fieldNames = {
  selfProving: "self_proving",
  notBefore: "not_before",
  expiresAt: "expires_at",
  overlapSeconds: "overlap_seconds",
  "limits.requestsPerMinute": "limits.requests_per_minute",
  "limits.tokensPerMinute": "limits.tokens_per_minute",
};

/** The only answer that holds a key: kept by nobody on its way. */
const createdReply = (status: number, { key, record }: CreatedKey, now: number): Reply => {
  const reply = json(status, { ...keyObject(record, now), key });
  reply.headers["cache-control"] = "no-store";
  return reply;
};

const asJson = (value: object): JsonObject => JSON.parse(JSON.stringify(value)) as JsonObject;

export const createKeyRoute = async (context: RouteContext): Promise<Reply> => {
  const { caller } = context;
  const [store, keys] = await Promise.all([storeOf(context), keysOf(context)]);
  const now = store.clock.now();
  const wanted = decodeNewKey(bodyFields(context, newKeyFields), now);
  const tenant = tenantFor(caller, wanted.tenant);
  const created = await audited(
    store,
    context,
    { action: "keys.create", target: "", tenant, changes: asJson(wanted) },
    () => naming(fieldNames, keys.create(caller, wanted)),
    ({ record }) => record.id,
  );
  return createdReply(201, created, now);
};

export const listKeysRoute = async (context: RouteContext): Promise<Reply> => {
  const tenant = tenantOf(context);
  const { limit, cursor } = pageOf(context);
  const [store, keys] = await Promise.all([storeOf(context), keysOf(context)]);
  const page = await keys.list(context.caller, { tenant, limit, ...(cursor === undefined ? {} : { cursor }) });
  const now = store.clock.now();
  return json(
    200,
    listObject(
      page.keys.map((record) => keyObject(record, now)),
      page.next,
    ),
  );
};

export const getKeyRoute = async (context: RouteContext): Promise<Reply> => {
  const id = keyParam(context);
  const [store, keys] = await Promise.all([storeOf(context), keysOf(context)]);
  return json(200, keyObject(await keys.get(context.caller, id), store.clock.now()));
};

/** The key is read before anything is written down: a name that leads nowhere fills no log. */
const changed = async <T>(
  context: RouteContext,
  action: string,
  changes: JsonObject,
  work: (record: KeyRecord) => Promise<T>,
): Promise<T> => {
  const [store, keys] = await Promise.all([storeOf(context), keysOf(context)]);
  const record = await keys.get(context.caller, keyParam(context));
  return audited(store, context, { action, target: record.id, tenant: record.tenant, changes }, () =>
    naming(fieldNames, work(record)),
  );
};

export const patchKeyRoute = async (context: RouteContext): Promise<Reply> => {
  const [store, keys] = await Promise.all([storeOf(context), keysOf(context)]);
  const now = store.clock.now();
  const change = decodeKeyChange(bodyFields(context, keyChangeFields), now);
  const record = await changed(context, "keys.update", asJson(change), ({ id }) =>
    keys.update(context.caller, id, change),
  );
  return json(200, keyObject(record, now));
};

export const rotateKeyRoute = async (context: RouteContext): Promise<Reply> => {
  const [store, keys] = await Promise.all([storeOf(context), keysOf(context)]);
  const overlapSeconds = bodyFields(context, ["overlap_seconds"]).whole("overlap_seconds", 0, 30 * 86_400);
  const options = overlapSeconds === undefined ? {} : { overlapSeconds };
  const created = await changed(context, "keys.rotate", options, ({ id }) => keys.rotate(context.caller, id, options));
  return createdReply(201, created, store.clock.now());
};

export const revokeKeyRoute = async (context: RouteContext): Promise<Reply> => {
  const [store, keys] = await Promise.all([storeOf(context), keysOf(context)]);
  if (context.call.method === "POST") bodyFields(context, []);
  const record = await changed(context, "keys.revoke", {}, ({ id }) => keys.revoke(context.caller, id));
  return json(200, keyObject(record, store.clock.now()));
};
