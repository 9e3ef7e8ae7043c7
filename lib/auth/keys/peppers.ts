// The secret that every key's checksum and every stored hash hangs on: the current one, and the one before it while keys are renewed.
import { GatewayError } from "../../model/error.ts";
import type { Secrets } from "../../secrets/secrets.ts";

/** The current one first. The same list for as long as the secret says the same. */
export type Peppers = readonly Buffer[];

/** A key of HMAC-SHA256 that is shorter could be found by trying. */
const shortest = 32;
/** The secret's own cache decides when the vault is asked again. */
const refreshMs = 30_000;

/** One or two values, apart by spaces, commas or lines. */
const parse = (text: string): Peppers => {
  const values = text.split(/[\s,]+/).filter((each) => each !== "");
  if (values.length === 0 || values.length > 2 || values.some((each) => each.length < shortest))
    throw new GatewayError(
      "storage",
      `The secret 'pepper' is not one or two values of ${shortest} characters or more.`,
    );
  return values.map((each) => Buffer.from(each));
};

/**
 * Undefined where there is no such secret. At once where it is known; asked again behind calls. Rejects `storage` where it is not
 * known and can't be asked.
 */
export type PepperSource = () => Peppers | undefined | Promise<Peppers | undefined>;

export const createPeppers = (secrets: Secrets, clock: { now: () => number }): PepperSource => {
  let text: string | undefined;
  let known: Peppers | undefined;
  let at = Number.NEGATIVE_INFINITY;
  let asking: Promise<Peppers | undefined> | undefined;
  const ask = async (): Promise<Peppers | undefined> => {
    try {
      const now = clock.now();
      const found = await secrets.get("pepper");
      if (found !== text || known === undefined) known = found === undefined ? undefined : parse(found);
      text = found;
      at = now;
      return known;
    } finally {
      asking = undefined;
    }
  };
  return () => {
    if (known !== undefined && clock.now() - at < refreshMs) return known;
    asking ??= ask();
    if (known === undefined) return asking;
    asking.catch(() => undefined);
    return known;
  };
};
