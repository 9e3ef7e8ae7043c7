// What works on the box itself: the first key, and the doctor. As child processes, as somebody would call them.
import { createServer } from "node:http";
import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { doctorCommand } from "../../../functions/local/cli/doctor.ts";
import type { Finding } from "../../../functions/local/cli/findings.ts";
import { adminOf } from "../../routes/admin/client.ts";
import { type DataFolder, dataFolder } from "../../support/data.ts";
import { jsonAnswer, startGateway, startUpstream } from "../../support/gateway.ts";
import { heddle, run } from "./support.ts";

let data: DataFolder;
beforeEach(() => {
  data = dataFolder();
});
afterEach(() => data.remove());

describe("heddle keys create --admin", () => {
  test("makes the first key without a server, shown once, good at the server that starts after", async () => {
    const env = { HEDDLE_DATA: data.path };
    const made = await heddle(data.path, ["keys", "create", "--admin"], env);
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^hdl_dev_\w+\n$/) });
    const gateway = await startGateway("auth: { mode: keys }", env);
    try {
      const root = adminOf(gateway, made.out.trim());
      expect((await root.get("/whoami")).body).toMatchObject({ name: "admin", roles: ["admin"], everywhere: true });
      const audit = await root.get("/audit");
      expect(audit.body).toMatchObject({
        data: [{ action: "keys.create", outcome: "done", actor: { name: "command line" } }],
      });
      // Beside a server that runs.
      const second = await heddle(data.path, ["keys", "create", "--admin", "--name", "second", "--json"], env);
      const { key } = JSON.parse(second.out) as { key: string };
      expect((await adminOf(gateway, key).get("/whoami")).body).toMatchObject({ name: "second" });
      const listed = await heddle(data.path, ["keys", "list"], { HEDDLE_URL: gateway.url, HEDDLE_KEY: key });
      expect(listed.out).toMatch(/second +active/);
    } finally {
      await gateway.stop();
    }
  });

  test("fails where nothing is stored, with exit code 1", async () => {
    writeFileSync(join(data.path, "heddle.yaml"), "storage: none\n");
    const refused = await heddle(data.path, ["keys", "create", "--admin"]);
    expect(refused).toMatchObject({ code: 1, out: "", err: expect.stringContaining("storage: none") });
  });
});

const canary = "canary-secret-0123456789-0123456789-0123456789";

const findingsOf = async (
  yaml: string,
  env: Record<string, string> = {},
): Promise<{ code: number; all: string; of: (check: string) => Finding[] }> => {
  const ran = await run(
    doctorCommand,
    ["--json"],
    { HEDDLE_PORT: "0", HEDDLE_DATA: data.path, HEDDLE_CONFIG: "heddle.yaml", ...env },
    (path) => (path.endsWith("heddle.yaml") ? yaml : undefined),
  );
  const { findings } = JSON.parse(ran.out) as { findings: Finding[] };
  return { code: ran.code, all: ran.out + ran.err, of: (check) => findings.filter((each) => each.check === check) };
};

describe("heddle doctor", () => {
  test("finds nothing to mend where nothing is wrong", async () => {
    const ran = await heddle(data.path, ["doctor"], { HEDDLE_PORT: "0", HEDDLE_PEPPER: canary });
    expect(ran).toMatchObject({ code: 0, err: "", out: expect.stringMatching(/^ok +node +Node \d+/) });
    for (const check of [
      "configuration",
      "access",
      "port",
      "secrets",
      "store",
      "keys",
      "blobs",
      "queue",
      "provider echo",
    ])
      expect(ran.out).toMatch(new RegExp(`^ok +${check} `, "m"));
    expect(ran.out).toMatch(/, 0 to look at, 0 to mend\n$/);
    expect(ran.out).not.toContain(canary);
  });

  test("says what is wrong with a configuration, and with the words of the command", async () => {
    const { code, of } = await findingsOf("models: { smart: opnai/x }\nserver: { port: -1 }");
    expect(code).toBe(1);
    expect(of("configuration").length).toBeGreaterThan(0);
    expect(await run(doctorCommand, ["--frob"])).toMatchObject({ code: 2 });
    expect(await run(doctorCommand, ["--help"])).toMatchObject({ code: 0 });
  });

  test("asks each provider, tells what it said without the key, and compares the clocks (F41)", async () => {
    const upstream = await startUpstream(jsonAnswer(401, { error: { message: `wrong key ${canary}` } }));
    const late = new Date(Date.now() - 600_000).toUTCString();
    const good = await startUpstream(jsonAnswer(200, { data: [] }, { date: late }));
    const { code, all, of } = await findingsOf(`
providers:
  bad: { kind: openai-compatible, baseUrl: "${upstream.url}/v1", apiKey: "${canary}" }
  good: { kind: openai-compatible, baseUrl: "${good.url}/v1", apiKey: "${canary}" }
  openai: { kind: openai }
`);
    await upstream.stop();
    await good.stop();
    expect(code).toBe(1);
    expect(of("provider bad")).toMatchObject([{ status: "fail", mend: expect.stringContaining("key") }]);
    expect(of("provider good")).toMatchObject([{ status: "ok" }]);
    expect(of("provider openai")).toMatchObject([
      { status: "fail", message: expect.stringContaining("OPENAI_API_KEY") },
    ]);
    expect(of("clock")).toHaveLength(1);
    expect(all).not.toContain("canary");
  });

  test("a clock that is far from every provider's is to be mended", async () => {
    const late = new Date(Date.now() - 600_000).toUTCString();
    const good = await startUpstream(jsonAnswer(200, { data: [] }, { date: late }));
    const { of } = await findingsOf(
      `providers: { good: { kind: openai-compatible, baseUrl: "${good.url}/v1", apiKey: k } }`,
    );
    await good.stop();
    expect(of("clock")).toMatchObject([{ status: "fail", message: expect.stringMatching(/ahead of the providers'/) }]);
  });

  test("a port that another program has is to be mended; a gateway's own is fine", async () => {
    const stranger = createServer((_request, response) => void response.end("hello"));
    await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
    const { port } = stranger.address() as AddressInfo;
    expect((await findingsOf("", { HEDDLE_PORT: String(port) })).of("port")).toMatchObject([{ status: "fail" }]);
    await new Promise((resolve) => stranger.close(resolve));
    const gateway = await startGateway();
    const own = await findingsOf("", { HEDDLE_PORT: new URL(gateway.url).port });
    await gateway.stop();
    expect(own.of("port")).toMatchObject([{ status: "ok", message: expect.stringContaining("a gateway listens") }]);
  });

  test("a store that can't be written, a pepper that is too short, a webhook without a secret", async () => {
    writeFileSync(join(data.path, "file"), "");
    const { code, of, all } = await findingsOf(
      "limits: { webhook: { url: https://alerts.example/canary-path } }\nauth: { mode: keys }",
      { HEDDLE_DATA: join(data.path, "file"), HEDDLE_PEPPER: "canary-short" },
    );
    expect(code).toBe(1);
    expect(of("store")).toMatchObject([{ status: "fail" }]);
    expect(of("blobs")).toMatchObject([{ status: "fail" }]);
    expect(of("secrets")).toMatchObject([{ status: "fail", mend: expect.stringContaining("HEDDLE_PEPPER") }]);
    expect(of("webhook")).toMatchObject([{ status: "warn", message: "alerts.example, not signed" }]);
    expect(of("administration")).toMatchObject([{ status: "warn" }]);
    expect(all).not.toContain("canary");
    const none = await findingsOf(
      "storage: none\nlimits: { webhook: { url: https://alerts.example, secret: 'no base64' } }",
    );
    expect(none.of("store")).toMatchObject([{ status: "warn" }]);
    expect(none.of("webhook")).toMatchObject([{ status: "fail" }]);
  });

  test("keys near their end are named", async () => {
    const gateway = await startGateway("auth: { mode: keys }", { HEDDLE_DATA: data.path, HEDDLE_ADMIN_KEY: canary });
    await adminOf(gateway, canary).post("/keys", { name: "soon", expires_in_seconds: 3 * 86_400 - 60 });
    await adminOf(gateway, canary).post("/keys", { name: "later", expires_in_seconds: 40 * 86_400 });
    await gateway.stop();
    const { of, all } = await findingsOf("", { HEDDLE_ADMIN_KEY: canary });
    expect(of("keys")).toMatchObject([
      { status: "warn", message: expect.stringMatching(/^near their end: soon \(\w+\) in 3 d$/) },
    ]);
    expect(of("administration")).toMatchObject([{ status: "ok" }]);
    expect(all).not.toContain(canary);
  });
});
