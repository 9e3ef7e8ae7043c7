// A program that serves many people acts for one of them (`heddle-user`): within its tenant, where its scope allows it.
import { GatewayError, invalid } from "../model/error.ts";
import type { Caller } from "./caller.ts";
import { matchesName } from "./policy.ts";

export const actingHeader = "heddle-user";

/** Letters, digits and signs of ASCII. No comma: a header that was sent twice is two users, which is none. */
const userName = /^[!-+\--~]{1,200}$/;

/**
 * The caller as that owner and user, so that its threads, runs and files, its limits and its usage are meant; all else stays the
 * key's own. Throws `invalid_request` over a value that names nobody, `permission` where the scope does not allow it.
 */
export const actingAs = (caller: Caller, user: string | undefined): Caller => {
  if (user === undefined) return caller;
  if (!userName.test(user))
    throw invalid(actingHeader, "expected one user's id: up to 200 ASCII characters, no spaces or commas");
  if (user === caller.owner && user === caller.user) return caller;
  const owners = caller.scopes?.owners;
  const allowed = caller.open || owners === "*" || owners?.some((pattern) => matchesName(pattern, user)) === true;
  if (!allowed)
    throw new GatewayError(
      "permission",
      `${actingHeader}: the key's scope (owners) does not allow to act for this user.`,
      {
        param: actingHeader,
      },
    );
  return { ...caller, owner: user, user };
};
