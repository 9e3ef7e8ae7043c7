// What every route on threads begins with: who calls, which thread is meant, and errors that name this API's own fields.
import { parseBody } from "../../chat/read.ts";
import { GatewayError } from "../../model/error.ts";
import { isId, threadNotFound } from "../../threads/head.ts";
import type { Caller, ThreadStore } from "../../threads/store.ts";
import type { Turns } from "../../turns/index.ts";
import type { RouteContext } from "../route.ts";
import { threadsOf, turnCall } from "../turns.ts";
import { type Fields, fieldsOf } from "./fields.ts";

export type Access = { store: ThreadStore; turns: Turns; caller: Caller };

/** Throws `not_implemented` where nothing is kept. */
export const accessOf = async (context: RouteContext): Promise<Access> => ({
  ...(await threadsOf(context)),
  caller: turnCall(context).caller,
});

/** What can't be an id names nothing: no store is asked. */
export const threadParam = ({ params: [id = ""] }: RouteContext): string => {
  if (!isId(id)) throw threadNotFound();
  return id;
};

export const runParam = ({ params: [, id = ""] }: RouteContext): string => {
  if (!isId(id)) throw new GatewayError("not_found", "No such run.", { param: "run_id" });
  return id;
};

/** The body's fields; no body at all has none. */
export const bodyFields = ({ call }: RouteContext, known: readonly string[]): Fields =>
  fieldsOf(call.body.length === 0 ? {} : parseBody(call.body), "", known);

/** What threads call a field otherwise than this API does. `names`: theirs to ours. */
export const naming = async <T>(names: Record<string, string>, work: Promise<T>): Promise<T> => {
  try {
    return await work;
  } catch (thrown) {
    const param = thrown instanceof GatewayError ? thrown.details.param : undefined;
    const own = param === undefined ? undefined : names[param.replaceAll(/\[\d+\]/g, "[]")];
    if (!(thrown instanceof GatewayError) || param === undefined || own === undefined) throw thrown;
    const at = /\[\d+\]/.exec(param)?.[0] ?? "[]";
    const named = own.replace("[]", at);
    throw new GatewayError(thrown.code, thrown.message.replace(`${param}:`, `${named}:`), {
      ...thrown.details,
      param: named,
    });
  }
};
