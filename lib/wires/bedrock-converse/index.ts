// Amazon Bedrock's Converse: one request form for the models of every vendor on Bedrock. It faces providers only; its client's
// side is there as far as JSON goes, for the laws that tests hold every wire to.
import { GatewayError } from "../../model/error.ts";
import type { Wire } from "../wire.ts";
import { decodeError, encodeError } from "./errors.ts";
import { decodeEvents } from "./events.ts";
import { wireId } from "./names.ts";
import { decodeRequest, encodeRequest } from "./request.ts";
import { decodeResponse, decodeUsage, encodeResponse } from "./response.ts";

export { familyOf, makerOf } from "./models.ts";

export const bedrockConverse: Wire = {
  id: wireId,
  streamType: "application/vnd.amazon.eventstream",
  heartbeat: "",
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
  usageMember: "usage",
  decodeUsage,
  decodeEvents,
  // Its streams are binary and an encoder's frames are text: no client is served on this wire.
  encodeEvents: () => {
    throw new GatewayError("not_implemented", "Converse streams are read from providers, not written to clients.");
  },
  decodeError,
  encodeError,
};
