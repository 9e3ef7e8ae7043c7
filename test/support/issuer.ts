// An issuer of tokens: keys of its own, and an endpoint that publishes them and counts who asks.
import { exportJWK, generateKeyPair, type GenerateKeyPairResult, type JWTHeaderParameters, SignJWT } from "jose";
import { jsonAnswer, startUpstream } from "./gateway.ts";

type KeyPair = GenerateKeyPairResult;
export type SigningKey = { kid: string; alg: string; pair: KeyPair; jwk: Record<string, unknown> };

export const signingKey = async (kid: string, alg = "ES256"): Promise<SigningKey> => {
  const pair = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, pair, jwk: { ...(await exportJWK(pair.publicKey)), kid, alg, use: "sig" } };
};

export const audience = "api://heddle-test";

export const signed = async (
  key: SigningKey,
  claims: Record<string, unknown>,
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "JWT", ...header })
    .sign(key.pair.privateKey);

/** `keys` may be changed: what is in it is published. `asked` counts the requests for keys and for discovery. */
export const startIssuer = async (
  keys: SigningKey[],
): Promise<{
  url: string;
  asked: { keys: number; discovery: number };
  isDown: (down: boolean) => void;
  token: (claims?: Record<string, unknown>, header?: Partial<JWTHeaderParameters>, key?: SigningKey) => Promise<string>;
  stop: () => Promise<void>;
}> => {
  const asked = { keys: 0, discovery: 0 };
  let down = false;
  const upstream = await startUpstream((request, response) => {
    if (request.url.startsWith("/keys")) asked.keys += 1;
    else asked.discovery += 1;
    const body = request.url.startsWith("/keys")
      ? { keys: keys.map(({ jwk }) => jwk) }
      : { issuer: upstream.url, jwks_uri: `${upstream.url}/keys` };
    return down ? jsonAnswer(503, {})(request, response) : jsonAnswer(200, body)(request, response);
  });
  const { url, stop } = upstream;
  return {
    url,
    asked,
    isDown: (now) => {
      down = now;
    },
    token: (claims = {}, header = {}, key = keys[0]) => {
      if (key === undefined) throw new Error("the issuer has no key");
      const now = Math.floor(Date.now() / 1_000);
      return signed(key, { iss: url, aud: audience, sub: "ada", iat: now, exp: now + 600, ...claims }, header);
    },
    stop,
  };
};
