// Tells somebody's server that a budget is nearly spent: one signed POST, tried a few times.

export type BudgetAlert = {
  type: "budget.threshold";
  tenant: string;
  rule: string;
  /** `key`, `user` or `tenant`. */
  by: string;
  /** The key's id, the user, or the tenant: whose budget it is. */
  subject: string;
  /** `2026-11-21`, `2026-11` or `total`. */
  period: string;
  /** The share that was passed: 0.8 is four fifths. */
  share: number;
  /** Dollars of the budget, and those that are spent and reserved. */
  amount: number;
  used: number;
  /** ISO 8601. */
  at: string;
};

/** `reason` is for a log: it holds no address, no secret, and nothing of an answer. */
export type Delivery =
  | { ok: true; attempts: number; status: number }
  | { ok: false; attempts: number; status?: number; reason: string };

export type AlertWebhook = {
  url: string;
  /** Base64, with or without `whsec_` before it, as standardwebhooks.com has it. */
  secret?: string;
};

/** What a test may put in the place of the world. */
export type AlertWorld = {
  fetch: typeof fetch;
  now: () => number;
  sleep: (ms: number) => Promise<void>;
  /** Unique: a receiver knows by it what it has already. The same on every try. */
  newId: () => string;
};

const attempts = 3;
const timeoutMs = 10_000;
const firstPauseMs = 500;

const world: AlertWorld = {
  fetch: (...args) => fetch(...args),
  now: Date.now,
  sleep: (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
    }),
  newId: () => `msg_${crypto.randomUUID().replaceAll("-", "")}`,
};

/** https, or plain http to this very machine. The address is the operator's own: private networks are allowed. */
const mayBeCalled = (address: string): boolean => {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, username, password } = new URL(address);
  if (username !== "" || password !== "") return false;
  if (protocol === "https:") return true;
  return protocol === "http:" && /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
};

/** Another try may be welcome: the receiver is overloaded, or broken for now. */
const mayPass = (status: number): boolean => status === 408 || status === 425 || status === 429 || status >= 500;

/** `status` is 0 where there was no answer. */
type Tried = { status: number; reason?: string; again: boolean };

const post = async (url: string, headers: Record<string, string>, body: string, send: typeof fetch): Promise<Tried> => {
  try {
    const response = await send(url, {
      method: "POST",
      headers,
      body,
      // A redirect could lead anywhere, and would take the signature along.
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    await response.body?.cancel();
    const { status } = response;
    if (status >= 200 && status < 300) return { status, again: false };
    return { status, reason: `the webhook answered ${status}`, again: mayPass(status) };
  } catch (thrown) {
    const late = thrown instanceof Error && thrown.name === "TimeoutError";
    return {
      status: 0,
      reason: late ? "the webhook did not answer in time" : "the webhook can't be reached",
      again: true,
    };
  }
};

/**
 * Never throws: what came of it is a value, to be logged and counted. 10 seconds a try, 3 tries with a pause between that doubles; a
 * redirect is not followed. Signed afresh with each try, under one id.
 */
export const deliverAlert = async (
  webhook: AlertWebhook,
  event: BudgetAlert,
  { fetch: send, now, sleep, newId }: AlertWorld = world,
): Promise<Delivery> => {
  if (!mayBeCalled(webhook.url))
    return { ok: false, attempts: 0, reason: "the webhook's address is neither https nor on this machine" };
  const body = JSON.stringify(event);
  const id = newId();
  let signed: (at: Date) => string | undefined = () => undefined;
  if (webhook.secret !== undefined)
    try {
      const { Webhook } = await import("standardwebhooks");
      const signer = new Webhook(webhook.secret);
      signed = (at) => signer.sign(id, at, body);
    } catch {
      // What it says may quote the secret.
      return { ok: false, attempts: 0, reason: "the webhook's secret is not base64" };
    }
  for (let attempt = 1; ; attempt += 1) {
    const at = new Date(now());
    const signature = signed(at);
    const { status, reason, again } = await post(
      webhook.url,
      {
        "content-type": "application/json",
        "user-agent": "heddle",
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
        ...(signature === undefined ? {} : { "webhook-signature": signature }),
      },
      body,
      send,
    );
    if (reason === undefined) return { ok: true, attempts: attempt, status };
    if (!again || attempt === attempts)
      return { ok: false, attempts: attempt, ...(status === 0 ? {} : { status }), reason };
    await sleep(firstPauseMs * 2 ** (attempt - 1));
  }
};
