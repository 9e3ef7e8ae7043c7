// The machine and the configuration: what needs no store and no provider.
import { createServer } from "node:net";
import type { HeddleConfig } from "../../../lib/config-types.ts";
import { bootstrapSecret } from "../../../lib/auth/bootstrap.ts";
import { fail, type Finding, ok, warn } from "./findings.ts";

const oldest = [22, 18] as const;

export const examineNode = (version: string): Finding => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const fits = major > oldest[0] || (major === oldest[0] && minor >= oldest[1]);
  return fits
    ? ok("node", `Node ${version}`)
    : fail("node", `Node ${version} is too old`, `install Node ${oldest.join(".")} or newer`);
};

const loopback = /^(?:localhost|\[?::1\]?|127(?:\.\d{1,3}){3})$/;

export const examineAccess = ({ auth, environment, server }: HeddleConfig): Finding => {
  if (auth.mode === "open") {
    const mend = "set auth.mode: keys, and make a key with heddle keys create --admin";
    if (!loopback.test(server.host)) return fail("access", `open to whoever reaches ${server.host}`, mend);
    return environment === "development"
      ? ok("access", "open, on loopback only")
      : warn("access", `open on loopback, in ${environment}`, mend);
  }
  const names = auth.keys.map(({ name }) => name).join(", ");
  return ok(
    "access",
    names === "" ? "keys that are made while it runs" : `keys: ${names}, and those made while it runs`,
  );
};

/** Who can make the first key. */
export const examineAdministration = ({ auth }: HeddleConfig): Finding[] => {
  if (auth.mode === "open") return [];
  const everywhere = auth.keys.find((key) => key.everywhere === true);
  return everywhere === undefined
    ? [
        warn(
          "administration",
          "no key of the configuration administers every tenant",
          `fine where one was made; else set HEDDLE_ADMIN_KEY (the secret ${bootstrapSecret}), or run heddle keys create --admin`,
        ),
      ]
    : [ok("administration", `${everywhere.name} administers every tenant`)];
};

const isBase64 = (text: string): boolean => /^(?:whsec_)?[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length >= 16;

/** Nothing is sent: an alert would be believed. */
export const examineWebhook = ({ limits }: HeddleConfig): Finding[] => {
  const { webhook } = limits;
  if (webhook === undefined) return [];
  if (!URL.canParse(webhook.url))
    return [fail("webhook", "limits.webhook.url is no address", "write an https address")];
  const { protocol, hostname, host, username } = new URL(webhook.url);
  if (username !== "") return [fail("webhook", "limits.webhook.url holds a password", "use limits.webhook.secret")];
  if (protocol !== "https:" && !loopback.test(hostname))
    return [fail("webhook", `${host} is not called: alerts go over https`, "write an https address")];
  if (webhook.secret === undefined)
    return [warn("webhook", `${host}, not signed`, "set limits.webhook.secret, so that it can tell who calls")];
  return isBase64(webhook.secret)
    ? [ok("webhook", `${host}, signed`)]
    : [fail("webhook", "limits.webhook.secret is not base64", "write whsec_ and 24 random bytes or more as base64")];
};

const isGateway = async (url: string): Promise<boolean> => {
  try {
    const response = await fetch(`${url}/health/live`, { signal: AbortSignal.timeout(2_000), redirect: "error" });
    await response.body?.cancel();
    return response.headers.has("x-request-id");
  } catch {
    return false;
  }
};

/** Where it is to listen. A gateway that listens there already is fine: it may be this one. */
export const examinePort = async ({ server: { host, port } }: HeddleConfig): Promise<Finding> => {
  const taken = await new Promise<string | undefined>((resolve) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.name));
    probe.listen(port, host, () => probe.close(() => resolve(undefined)));
  });
  const place = `${host}:${port}`;
  if (taken === undefined) return ok("port", `${place} is free`);
  if (taken === "EADDRINUSE") {
    const name = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
    return (await isGateway(`http://${name}:${port}`))
      ? ok("port", `a gateway listens on ${place}`)
      : fail("port", `${place} is taken by another program`, "set HEDDLE_PORT (server.port) to another");
  }
  return taken === "EACCES"
    ? fail("port", `${place} may not be used`, "set HEDDLE_PORT (server.port) to 1024 or more")
    : fail(
        "port",
        `${place} can't be listened on (${taken})`,
        "set HEDDLE_HOST (server.host) to an address of this machine",
      );
};
