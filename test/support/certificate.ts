// A self-signed certificate for servers on loopback, made by openssl when a test asks for it.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Whether openssl is here; says so once where it isn't. */
export const haveOpenssl = (): boolean => {
  const found = spawnSync("openssl", ["version"], { stdio: "ignore" }).status === 0;
  if (!found) console.warn("No openssl: the tests that need a server with TLS are skipped.");
  return found;
};

export type Certificate = {
  key: string;
  cert: string;
  /** Of the certificate: what NODE_EXTRA_CA_CERTS names, for a process that is to trust it. */
  path: string;
  keyPath: string;
  remove: () => void;
};

/** For these names, besides 127.0.0.1. */
export const makeCertificate = (names: readonly string[]): Certificate => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-certificate-"));
  const key = join(folder, "key.pem");
  const path = join(folder, "cert.pem");
  const subjects = ["IP:127.0.0.1", ...names.map((name) => `DNS:${name}`)].join(",");
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const use = ["-subj", "/CN=localhost", "-addext", `subjectAltName=${subjects}`, "-days", "2"];
  execFileSync("openssl", ["req", "-x509", ...curve, "-noenc", "-keyout", key, "-out", path, ...use], {
    stdio: "ignore",
  });
  return {
    key: readFileSync(key, "utf8"),
    cert: readFileSync(path, "utf8"),
    path,
    keyPath: key,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
};
