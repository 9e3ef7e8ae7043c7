// Signature Version 4 against AWS's published test suite (aws-signing-test-suite/v4), and against its JavaScript signer for Bedrock's paths.
import { describe, expect, it } from "vitest";
import { signV4, type SignRequest } from "../../../lib/providers/aws-sigv4.ts";

const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
const now = Date.parse("2015-08-30T12:36:00Z");

type Vector = {
  name: string;
  request: Partial<SignRequest>;
  sessionToken?: string;
  signed: string;
  signature: string;
};

const vectors: Vector[] = [
  {
    name: "get-vanilla",
    request: {},
    signed: "host;x-amz-date",
    signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  },
  {
    name: "post-vanilla",
    request: { method: "POST" },
    signed: "host;x-amz-date",
    signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
  },
  {
    name: "get-vanilla-query-order-key-case",
    request: { url: "https://example.amazonaws.com/?Param2=value2&Param1=value1" },
    signed: "host;x-amz-date",
    signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  },
  {
    name: "get-header-value-trim",
    request: { headers: { "my-header1": " value1", "my-header2": ' "a   b   c"' } },
    signed: "host;my-header1;my-header2;x-amz-date",
    signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
  },
  {
    name: "post-x-www-form-urlencoded",
    request: {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "content-length": "13",
        "x-amz-content-sha256": "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
      },
      body: "Param1=value1",
    },
    signed: "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
    signature: "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
  },
  {
    name: "get-vanilla-with-session-token",
    request: {},
    sessionToken: "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
    signed: "host;x-amz-date;x-amz-security-token",
    signature: "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
  },
];

describe("signature version 4", () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))("%s", (_, vector) => {
    const headers = signV4(
      { method: "GET", url: "https://example.amazonaws.com/", headers: {}, body: "", ...vector.request },
      vector.sessionToken === undefined ? credentials : { ...credentials, sessionToken: vector.sessionToken },
      { region: "us-east-1", service: "service", now },
    );
    expect(headers["x-amz-date"]).toBe("20150830T123600Z");
    expect(headers["x-amz-security-token"]).toBe(vector.sessionToken);
    expect(headers["authorization"]).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=${vector.signed}, Signature=${vector.signature}`,
    );
  });

  it.each([
    ["/model/us.amazon.nova-lite-v1%3A0/converse", "219de9fdc87b4194f316a0d5a2bf87e7761397067868b784b1df82d6e30fc15c"],
    [
      "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/converse-stream",
      "d79b4e47ce301cd21b6621306ac68041bf6328a70bfbcf1c1575f2eab5d1833a",
    ],
  ])("signs the path %s as the vendor's signer does", (path, signature) => {
    const headers = signV4(
      {
        method: "POST",
        url: `https://bedrock-runtime.us-east-1.amazonaws.com${path}`,
        headers: { "content-type": "application/json" },
        body: new TextEncoder().encode('{"messages":[]}'),
      },
      credentials,
      { region: "us-east-1", service: "bedrock", now },
    );
    expect(headers["authorization"]).toMatch(
      new RegExp(`SignedHeaders=content-type;host;x-amz-date, Signature=${signature}$`),
    );
  });
});
