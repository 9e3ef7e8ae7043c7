// Threads for those who run the gateway: which there are, without a word of what is in them, deleting them, and taking one away whole.
import { invalid } from "../../model/error.ts";
import { compact, type JsonObject } from "../../model/json.ts";
import type { Reply } from "../../model/call.ts";
import { loadHead, type Thread } from "../../threads/head.ts";
import { deleteThread, type ListThreads, listThreads } from "../../threads/threads.ts";
import { json, type RouteContext } from "../route.ts";
import { spaceCaller } from "../turns.ts";
import { threadParam } from "../threads/access.ts";
import { listObject, pageOf, threadObject } from "../threads/objects.ts";
import { exportRoute } from "../threads/records.ts";
import { checkOwner, nameIn, storeOf, tenantOf } from "./access.ts";
import { audited } from "./audit-log.ts";

type Owner = { tenant: string; owner: string };

const ownerOf = (context: RouteContext): Owner => {
  const tenant = tenantOf(context);
  const owner = nameIn(context.query().get("owner"), "owner");
  if (owner === undefined) throw invalid("owner", "expected the owner of the threads");
  checkOwner(context.caller, owner);
  return { tenant, owner };
};

/** Titles, instructions and metadata are the owner's words. */
const operatorObject = (thread: Thread, { tenant, owner }: Owner, now: number): JsonObject => {
  const { title: _title, system: _system, metadata: _metadata, context: _context, ...rest } = threadObject(thread, now);
  return { ...rest, tenant, owner };
};

export const listOwnersThreadsRoute = async (context: RouteContext): Promise<Reply> => {
  const owner = ownerOf(context);
  const { limit, cursor } = pageOf(context);
  const store = await storeOf(context);
  const { threads, next } = await listThreads(store, spaceCaller(owner), compact<ListThreads>({ limit, cursor }));
  const now = store.clock.now();
  return json(
    200,
    listObject(
      threads.map((thread) => operatorObject(thread, owner, now)),
      next,
    ),
  );
};

export const deleteOwnersThreadRoute = async (context: RouteContext): Promise<Reply> => {
  const owner = ownerOf(context);
  const id = threadParam(context);
  const store = await storeOf(context);
  await loadHead(store, spaceCaller(owner), id);
  await audited(
    store,
    context,
    { action: "threads.delete", target: id, tenant: owner.tenant, changes: { owner: owner.owner } },
    () => deleteThread(store, spaceCaller(owner), id),
  );
  return json(200, { id, object: "thread.deleted", deleted: true });
};

/** As the owner would get it. That somebody else has read it stands in the audit log, whether or not it was read to its end. */
export const exportOwnersThreadRoute = async (context: RouteContext): Promise<Reply> => {
  const owner = ownerOf(context);
  const id = threadParam(context);
  const store = await storeOf(context);
  await loadHead(store, spaceCaller(owner), id);
  return audited(
    store,
    context,
    { action: "threads.export", target: id, tenant: owner.tenant, changes: { owner: owner.owner } },
    () => exportRoute({ ...context, caller: { ...context.caller, ...owner } }),
  );
};
