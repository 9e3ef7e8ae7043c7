// Budget alerts as a receiver sees them: a real server, and the verification of the library that receivers use.
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AlertWorld, type BudgetAlert, deliverAlert } from "../../lib/limits/alert-webhook.ts";
import { startUpstream, type TestUpstream } from "../support/gateway.ts";

const secret = `whsec_${Buffer.from("canary-webhook-secret-0123456789").toString("base64")}`;

const alert: BudgetAlert = {
  type: "budget.threshold",
  tenant: "acme",
  rule: "monthly",
  by: "tenant",
  subject: "acme",
  period: "2026-11",
  share: 0.8,
  amount: 100,
  used: 81.5,
  at: "2026-11-21T10:00:00.000Z",
};

let receiver: TestUpstream;
let pauses: number[];
const world = (): AlertWorld => ({
  fetch: (...args) => fetch(...args),
  now: Date.now,
  sleep: (ms) => {
    pauses.push(ms);
    return Promise.resolve();
  },
  newId: () => "msg_1",
});

beforeEach(async () => {
  receiver = await startUpstream((_request, response) => void response.writeHead(204).end());
  pauses = [];
});
afterEach(() => receiver.stop());

const headersOf = (at: number): Record<string, string> => receiver.requests[at]?.headers as Record<string, string>;

describe("budget alerts", () => {
  test("are signed so that the library verifies them", async () => {
    expect(await deliverAlert({ url: receiver.url, secret }, alert)).toEqual({ ok: true, attempts: 1, status: 204 });
    const [request] = receiver.requests;
    expect(request?.method).toBe("POST");
    expect(new Webhook(secret).verify(request?.body ?? "", headersOf(0))).toEqual(alert);
    const other = `whsec_${Buffer.from("another-secret-0123456789").toString("base64")}`;
    expect(() => new Webhook(other).verify(request?.body ?? "", headersOf(0))).toThrow(/No matching signature/);
  });

  test("without a secret are not signed", async () => {
    expect(await deliverAlert({ url: receiver.url }, alert, world())).toMatchObject({ ok: true });
    expect(headersOf(0)).not.toHaveProperty("webhook-signature");
    expect(headersOf(0)).toMatchObject({ "webhook-id": "msg_1" });
    expect(JSON.parse(receiver.requests[0]?.body ?? "")).toEqual(alert);
  });

  test("are tried three times under one id, with a pause that doubles", async () => {
    receiver.answer((_request, response) => void response.writeHead(503).end("down"));
    const came = await deliverAlert({ url: receiver.url, secret }, alert, world());
    expect(came).toEqual({ ok: false, attempts: 3, status: 503, reason: "the webhook answered 503" });
    expect(pauses).toEqual([500, 1000]);
    expect(new Set(receiver.requests.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  });

  test("that a receiver takes at the second try are delivered", async () => {
    receiver.answer((_request, response) => {
      if (receiver.requests.length === 1) response.destroy();
      else response.end("thanks");
    });
    expect(await deliverAlert({ url: receiver.url, secret }, alert, world())).toEqual({
      ok: true,
      attempts: 2,
      status: 200,
    });
  });

  test("that a receiver refuses are not sent again", async () => {
    receiver.answer((_request, response) => void response.writeHead(410).end());
    expect(await deliverAlert({ url: receiver.url }, alert, world())).toMatchObject({ ok: false, attempts: 1 });
    expect(receiver.requests).toHaveLength(1);
  });

  test("follow no redirect", async () => {
    receiver.answer((_request, response) => void response.writeHead(307, { location: `${receiver.url}/else` }).end());
    expect(await deliverAlert({ url: `${receiver.url}/hook`, secret }, alert, world())).toMatchObject({
      ok: false,
      attempts: 1,
      status: 307,
    });
    expect(receiver.requests.map(({ url }) => url)).toEqual(["/hook"]);
  });

  test("go out over https, or to this machine, with no password in the address", async () => {
    for (const url of ["http://alerts.example/hook", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "no address"])
      expect(await deliverAlert({ url, secret }, alert, world()), url).toMatchObject({ ok: false, attempts: 0 });
  });

  test("never throw, and tell nothing of the secret or the address (F41)", async () => {
    const bad = await deliverAlert({ url: receiver.url, secret: "canary secret, no base64!" }, alert, world());
    expect(bad).toEqual({ ok: false, attempts: 0, reason: "the webhook's secret is not base64" });
    await receiver.stop();
    const gone = await deliverAlert({ url: `${receiver.url}/canary-path`, secret }, alert, world());
    expect(gone).toEqual({ ok: false, attempts: 3, reason: "the webhook can't be reached" });
    expect(JSON.stringify([bad, gone])).not.toContain("canary");
  });
});
