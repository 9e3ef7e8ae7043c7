// The refusals that every kind of credential shares: a stranger is told the same whatever was wrong.
import { GatewayError } from "../model/error.ts";

export const refused = (message: string): GatewayError =>
  new GatewayError("authentication", message, { headers: { "www-authenticate": "Bearer" } });

/** Whether there ever was such a credential is not told. */
export const unknownKey = (): GatewayError => refused("The API key is not valid here.");
