// A caller's words as a part of a provider's address.
import { GatewayError } from "../model/error.ts";

/** A model's name as one segment of a path: a caller's name must not lead elsewhere on the provider's host. */
export const pathSegment = (name: string): string => {
  if (/^\.{0,2}$/.test(name))
    throw new GatewayError("model_not_found", "The model's name is empty or stands for a folder.", { param: "model" });
  return encodeURIComponent(name.toWellFormed());
};
