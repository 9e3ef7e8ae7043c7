// The error that a promise rejects with.
import { GatewayError } from "../../lib/model/error.ts";

export const failureOf = async (work: Promise<unknown>): Promise<GatewayError> => {
  try {
    await work;
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown;
    throw thrown;
  }
  throw new Error("It did not fail.");
};
