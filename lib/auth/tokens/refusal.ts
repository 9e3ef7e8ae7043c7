// Why a token is refused, in words that quote nothing of it.
import { GatewayError } from "../../model/error.ts";

/** `reason` finishes "The token …". A 401 in the wire's own envelope, with the header that RFC 6750 asks for. */
export const refusedToken = (reason: string): GatewayError =>
  new GatewayError("authentication", `The token ${reason}.`, {
    headers: { "www-authenticate": 'Bearer error="invalid_token"' },
  });

/** The token may be good, but what it is checked with can't be had at the moment: another try may succeed. */
export const uncheckable = (retryAfterMs: number): GatewayError =>
  new GatewayError("overloaded", "The token can't be checked now: its issuer's keys can't be fetched.", {
    retryAfterMs,
  });
