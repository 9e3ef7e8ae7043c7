// What a client's headers become: on the way in, and on the way to the provider.
import { expect } from "vitest";
import type { ClientWireId } from "../../../lib/model/wire-id.ts";
import { until } from "../../support/gateway.ts";
import { rawWires } from "../../support/wires.ts";
import { callOf, headersOf, wireIds } from "../calls.ts";
import { abandon, ask } from "../client.ts";
import { type Case, type Holds, key, type PlatformUnderTest, type Topic } from "../platform.ts";
import { says } from "../provider.ts";

const anthropic = "anthropic-messages";
const whole = rawWires[anthropic].whole;

/** The `anthropic-beta` that the provider gets where the client sends these headers: the one header that passes as it is. */
const passedBeta = async (
  under: PlatformUnderTest,
  headers: readonly (readonly [string, string])[],
): Promise<string | undefined> => {
  const { model, heard } = under.provider.play(says(whole));
  const call = callOf(anthropic, model);
  const answer = await ask(under.url, { ...call, headers: [...Object.entries(headersOf(anthropic)), ...headers] });
  expect(answer.status).toBe(200);
  return heard[0]?.headers["anthropic-beta"]?.toString();
};

const ownKey = (wire: ClientWireId): Case => ({
  name: `${wire}: the wire's own place for a key is read`,
  run: async (under) => {
    const { model, heard } = under.provider.play(says(rawWires[wire].whole));
    const answer = await ask(under.url, callOf(wire, model));
    expect(answer.status).toBe(200);
    expect(JSON.stringify(heard[0]?.headers)).not.toContain(key);
    expect(answer.json()).toEqual(rawWires[wire].whole);
  },
});

/** All that a call to a provider may have. */
const own: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "anthropic-version",
  "connection",
  "content-length",
  "content-type",
  "host",
  "traceparent",
  "user-agent",
  "x-api-key",
]);

const cases: Case[] = [
  {
    name: "names in any case are the same header",
    run: async (under) => {
      expect(await passedBeta(under, [["ANTHROPIC-Beta", "One-2026"]])).toBe("One-2026");
      const { model } = under.provider.play(says(whole));
      const call = callOf(anthropic, model);
      const shouted = [
        ["X-API-KEY", key],
        ["ANTHROPIC-VERSION", "2023-06-01"],
        ["CONTENT-TYPE", "application/json"],
      ] as const;
      expect((await ask(under.url, { ...call, headers: shouted })).status).toBe(200);
    },
  },
  {
    name: "a repeated header is joined, in its order",
    run: async (under) => {
      const beta = await passedBeta(under, [
        ["anthropic-beta", "one"],
        ["Anthropic-Beta", "two"],
        ["anthropic-beta", "three,four"],
      ]);
      // The blank behind a comma means nothing: fronts that join by themselves leave it out.
      expect(beta?.split(/, ?/)).toEqual(["one", "two", "three", "four"]);
    },
  },
  {
    name: "a value of 12,000 characters arrives whole",
    run: async (under) => {
      const long = `b-${"0123456789".repeat(1_200)}`;
      expect(await passedBeta(under, [["anthropic-beta", long]])).toBe(long);
    },
  },
  {
    name: "an empty value is no trouble",
    run: async (under) => {
      expect((await passedBeta(under, [["anthropic-beta", ""]])) ?? "").toBe("");
      expect(
        await passedBeta(under, [
          ["x-request-id", ""],
          ["cookie", ""],
          ["heddle-thread", ""],
        ]),
      ).toBeUndefined();
    },
  },
  {
    name: "cookies, hop-by-hop headers and what fronts add never reach the provider",
    run: async (under) => {
      const { model, heard } = under.provider.play(says(whole));
      const call = callOf(anthropic, model);
      const answer = await ask(under.url, {
        ...call,
        headers: [
          ...Object.entries(headersOf(anthropic)),
          ["cookie", "a=1"],
          ["cookie", "b=2; c=3"],
          ["te", "trailers"],
          ["keep-alive", "timeout=5"],
          ["proxy-authorization", "Basic ZmFrZTpmYWtl"],
          ["forwarded", "for=192.0.2.1"],
          ["x-forwarded-for", "192.0.2.1"],
          ["x-forwarded-host", "elsewhere.example"],
          ["x-hop", "1"],
          ["x-heddle-origin", "fake-origin"],
        ],
      });
      expect(answer.status).toBe(200);
      expect(Object.keys(heard[0]?.headers ?? {}).filter((name) => !own.has(name))).toEqual([]);
      // The provider's own key, and not the caller's.
      expect(heard[0]?.headers["x-api-key"]).toBe("fake-anthropic-key");
      expect(heard[0]?.headers["user-agent"]).toBe("heddle");
    },
  },
  {
    name: "what a client says about who it is gives it no identity",
    run: async (under) => {
      const before = under.provider.calls();
      const objectId = "00000000-0000-0000-0000-00000000c0de";
      const arn = "arn:aws:iam::123456789012:role/test";
      const principal = Buffer.from(
        JSON.stringify({
          auth_typ: "aad",
          claims: [
            { typ: "http://schemas.microsoft.com/identity/claims/objectidentifier", val: objectId },
            { typ: "roles", val: "admin" },
          ],
        }),
      ).toString("base64");
      const forged = {
        "x-ms-client-principal": principal,
        "x-ms-client-principal-id": objectId,
        "x-ms-client-principal-name": "somebody",
        "x-ms-client-principal-idp": "aad",
        "x-ms-token-aad-access-token": "fake-token",
        "x-amzn-request-context": JSON.stringify({ authorizer: { iam: { userArn: arn, accountId: "123456789012" } } }),
        "x-amzn-user-arn": arn,
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-user": "admin",
        "x-real-ip": "127.0.0.1",
        "x-heddle-origin": "fake-origin",
      };
      for (const path of ["/v1/admin/keys", "/v1/models", "/metrics"])
        expect((await ask(under.url, { path, headers: forged })).status, path).toBe(401);
      expect(under.provider.calls()).toBe(before);
    },
  },
  {
    name: "neither a query nor a body says what the headers are",
    run: async (under) => {
      const before = under.provider.calls();
      const said = { authorization: `Bearer ${key}`, "x-api-key": key, "x-goog-api-key": key };
      for (const member of ["Headers", "headers", "Query", "httpHeaders", "multiValueHeaders", "requestContext"]) {
        const inQuery = `${member}=${encodeURIComponent(JSON.stringify(said))}`;
        expect((await ask(under.url, { path: `/v1/models?${inQuery}` })).status, member).toBe(401);
        const body = JSON.stringify({ [member]: said, model: "echo/echo", max_tokens: 5, messages: [] });
        for (const inBody of [body, body.replace(JSON.stringify(said), JSON.stringify(JSON.stringify(said)))]) {
          const headers = { "content-type": "application/json" };
          expect((await ask(under.url, { path: "/v1/messages", headers, body: inBody })).status, member).toBe(401);
        }
      }
      expect(under.provider.calls()).toBe(before);
    },
  },
  {
    name: "nor do they take a caller's own headers away",
    run: async (under) => {
      const { model, heard } = under.provider.play(says(whole));
      const call = callOf(anthropic, model);
      const body = JSON.stringify({ ...(JSON.parse(String(call.body)) as object), Headers: "{}", headers: {} });
      const query = "?Headers=%7B%7D&headers=x&path=y&req=z";
      expect((await ask(under.url, { ...call, path: `${call.path}${query}`, body })).status).toBe(200);
      expect(heard).toHaveLength(1);
      for (const value of ['{"a b":"c"}', '{"a":"\\u0000"}', '{"a":"\u6f22"}', '{"":"x"}', "[1,2]", "null", "{"]) {
        const path = `/v1/models?Headers=${encodeURIComponent(value)}`;
        expect(`${value} ${(await ask(under.url, { path, headers: headersOf(anthropic) })).status}`).toBe(
          `${value} 200`,
        );
        const inBody = JSON.stringify({ ...(JSON.parse(String(call.body)) as object), Headers: value });
        expect((await ask(under.url, { ...call, body: inBody })).status).toBe(200);
      }
    },
  },
  {
    name: "a host of another name is served, as any, and one that is none gets an answer too",
    run: async (under) => {
      for (const host of [
        "gateway.example",
        "a..b",
        "xn--a",
        "999.999.999.999",
        "example:99999",
        "[::1",
        "a@b",
        "a/b",
        "",
      ]) {
        const { status } = await ask(under.url, { path: "/health/live", headers: { host } });
        expect([200, 400], `${host} ${status}`).toContain(status);
      }
    },
  },
  {
    name: "a value in UTF-8 keeps no caller from an answer",
    run: async (under) => {
      for (const value of ["caf\u00e9", "\u6f22\u5b57", "\u{1f9f5}"]) {
        const { model } = under.provider.play(says(whole));
        const title = Buffer.from(value, "utf8").toString("latin1");
        const answer = await ask(under.url, callOf(anthropic, model, { headers: { "x-title": title } }));
        expect(answer.json()).toEqual(whole);
      }
    },
  },
  ...wireIds.map(ownKey),
  {
    name: "every call has its line in the log, and no line has a key in it",
    run: async (under) => {
      const id = `logged-${Date.now()}`;
      const { model } = under.provider.play(says(whole));
      await ask(under.url, callOf(anthropic, model, { headers: { "x-request-id": id } }));
      await until(() => under.logs().some((line) => line.includes(id)), "a line about the call");
      const secrets = [key, "fake-anthropic-key", "fake-compat-key", "fake-openai-key", "fake-gemini-key"];
      expect(under.logs().filter((line) => secrets.some((secret) => line.includes(secret)))).toEqual([]);
    },
  },
];

/** Names by which platforms know their calls, with values that would mean something to a program behind them. */
const names = ["x-ms-invocation-id", "x-amzn-requestid", "lambda-runtime-aws-request-id", "x-arr-log-id"];
const values = ["error", "newListener", "__proto__", "constructor", "00000000-0000-4000-8000-000000000000", "", "a,b"];

/** Whatever a client calls its call: nobody else's is the worse for it. */
const ownIds: Case = {
  name: "a client that names its call as platforms do harms nobody",
  run: async (under) => {
    for (const name of names) {
      const leave = values.map((value) => abandon(under.url, { path: "/health/live", headers: { [name]: value } }));
      const { model } = under.provider.play(says(whole));
      expect((await ask(under.url, callOf(anthropic, model))).json()).toEqual(whole);
      for (const each of leave) each();
    }
    expect(under.faults()).toEqual([]);
  },
};

const latin1 = "caf\u00e9-\u00ff";

const outsideOfAscii = (rawHeaders: Holds): Case =>
  rawHeaders === true
    ? {
        name: "a value outside of ASCII arrives as its bytes",
        run: async (under) => {
          expect(await passedBeta(under, [["anthropic-beta", latin1]])).toBe(latin1);
        },
      }
    : {
        name: `a value that is Latin-1 is refused before the gateway: ${rawHeaders.not}`,
        run: async (under) => {
          const headers = { ...headersOf(anthropic), "anthropic-beta": latin1 };
          expect((await ask(under.url, { path: "/v1/models", headers })).status).toBe(400);
        },
      };

export const requestHeaders: Topic = ({ rawHeaders }) => [...cases, outsideOfAscii(rawHeaders), ownIds];
