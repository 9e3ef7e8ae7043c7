// The Bedrock provider against a small HTTP server: which credentials go with it.
import { describe, expect, it } from "vitest";
import type { ProviderConfig } from "../../../lib/config-types.ts";
import { readAll } from "../../../lib/http/transport.ts";
import { signV4 } from "../../../lib/providers/aws-sigv4.ts";
import { createBedrock } from "../../../lib/providers/bedrock/index.ts";
import type { Provider } from "../../../lib/providers/provider.ts";
import { call, claude, json, now, provider, signal, textOf, transport, upstream, useUpstream } from "./upstream.ts";

useUpstream();

describe("credentials", () => {
  const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret-canary", sessionToken: "session-canary" };
  const unsigned = (config: Partial<ProviderConfig>): Provider => {
    const { bearerToken: _, ...rest } = { ...baseConfig(), ...config };
    return createBedrock(rest, { transport, now: () => now });
  };
  const baseConfig = (): ProviderConfig => ({
    id: "aws",
    kind: "bedrock",
    baseUrl: upstream.base,
    region: "eu-west-1",
    bearerToken: "",
    headers: {},
    models: [],
    dialect: {},
    betas: [],
  });

  it("signs with the keys of the configuration, and what is signed arrives as it was signed", async () => {
    upstream.answer = json({});
    const made = unsigned(keys);
    await readAll((await made.send(call({ headers: { traceparent: "00-a-b-01" } }), signal)).body);
    const request = upstream.seen[0]!;
    expect(request.headers).toMatchObject({
      "x-amz-date": "20261121T040000Z",
      "x-amz-security-token": "session-canary",
      traceparent: "00-a-b-01",
    });
    const expected = signV4(
      {
        method: "POST",
        url: `http://${request.headers.host}${request.path}`,
        headers: { "content-type": request.headers["content-type"]! },
        body: request.body,
      },
      keys,
      { region: "eu-west-1", service: "bedrock", now },
    );
    expect(request.headers.authorization).toBe(expected["authorization"]);
    expect(made.secrets()).toEqual(["secret-canary", "session-canary"]);
  });

  it("asks AWS's own chain where nothing is configured", async () => {
    upstream.answer = json({});
    const names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"] as const;
    const before = names.map((name) => [name, process.env[name]] as const);
    try {
      delete process.env["AWS_PROFILE"];
      delete process.env["AWS_SESSION_TOKEN"];
      process.env["AWS_ACCESS_KEY_ID"] = "AKIDCHAIN";
      process.env["AWS_SECRET_ACCESS_KEY"] = "chain-canary";
      const made = unsigned({});
      await readAll((await made.send(call({}), signal)).body);
      expect(upstream.seen[0]!.headers.authorization).toContain(
        "Credential=AKIDCHAIN/20261121/eu-west-1/bedrock/aws4_request",
      );
      expect(made.secrets()).toEqual(["chain-canary"]);
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });

  it("refuses half a key and a missing region when it is made", () => {
    expect(() => unsigned({ accessKeyId: "AKID" })).toThrow("accessKeyId and secretAccessKey together");
    expect(() => provider({ region: "" })).toThrow("expected an AWS region");
  });

  it("passes on nothing of a refused signature but that it was refused (F41)", async () => {
    upstream.answer = json(
      {
        message:
          "The request signature we calculated does not match. The Canonical String was 'POST x-amz-security-token:session-canary'",
      },
      403,
      {
        "x-amzn-errortype": "InvalidSignatureException:http://internal.amazon.com/",
      },
    );
    const response = await unsigned(keys).send(call({ model: claude, wire: "anthropic-messages" }), signal);
    expect(response.status).toBe(401);
    const text = await textOf(response);
    expect(text).not.toContain("canary");
    expect(JSON.parse(text)).toMatchObject({ type: "error", error: { type: "authentication_error" } });
  });
});
