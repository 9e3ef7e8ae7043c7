// The commands against a real gateway: what they print, what they send, how they end.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditCommand } from "../../../functions/local/cli/audit.ts";
import { budgetsCommand } from "../../../functions/local/cli/budgets.ts";
import { Failure } from "../../../functions/local/cli/io.ts";
import { keysCommand } from "../../../functions/local/cli/keys.ts";
import { tableText } from "../../../functions/local/cli/table.ts";
import { threadsCommand } from "../../../functions/local/cli/threads.ts";
import { usageCommand } from "../../../functions/local/cli/usage.ts";
import { startUpstream } from "../../support/gateway.ts";
import { newThread } from "../../routes/threads/client.ts";
import { keyOf, type Place, startAdmin, threadClient } from "../../routes/admin/client.ts";
import { run } from "./support.ts";

let place: Place;
let env: Record<string, string>;
beforeAll(async () => {
  place = await startAdmin("limits: { budgets: [{ name: house, by: tenant, amount: 100, per: month }] }\n");
  env = { HEDDLE_URL: place.gateway.url, HEDDLE_KEY: keyOf("admin") };
});
afterAll(() => place.stop());

describe("heddle keys", () => {
  test("a key is made, shown once alone on stdout, listed, rotated and revoked", async () => {
    const made = await run(
      keysCommand,
      [
        "create",
        "--name",
        "ci",
        "--role",
        "member",
        "--model",
        "echo/*",
        "--rpm",
        "60",
        "--budget",
        "2.5/day",
        "--expires-in",
        "30d",
      ],
      env,
    );
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^hdl_dev_\w+\n$/) });
    expect(made.err).toContain("requests_per_minute");
    expect(made.err).not.toContain(made.out.trim());
    const id = /^id +(\w+)$/m.exec(made.err)?.[1] ?? "";

    const list = await run(keysCommand, ["list"], env);
    expect(list.out).toMatch(new RegExp(String.raw`^ID +NAME +STATUS[^]*\n${id}  ci +active +member +acme`));
    expect((await run(keysCommand, ["show", id], env)).out).toContain(`"models":["echo/*"]`);
    expect(JSON.parse((await run(keysCommand, ["show", id, "--json"], env)).out)).toMatchObject({ id, name: "ci" });

    const rotated = await run(keysCommand, ["rotate", id, "--overlap", "1h", "--json"], env);
    expect(JSON.parse(rotated.out)).toMatchObject({ rotated_from: id, key: expect.stringMatching(/^hdl_/) });
    expect((await run(keysCommand, ["revoke", id], env)).out).toMatch(/^status +revoked$/m);
  });

  test("an owner's words cannot steer the terminal", () => {
    const text = tableText(
      [{ name: "evil\u001b[2J\nroot\u202e" }],
      [{ title: "name", of: ({ name }) => name }],
      "none",
    );
    expect(text).toBe("NAME\nevil\u00b7[2J\u00b7root\u00b7\n");
  });
});

describe("heddle budgets", () => {
  test("are set, listed with what is used, reset and deleted", async () => {
    const set = await run(
      budgetsCommand,
      ["set", "team", "--amount", "20", "--per", "day", "--by", "tenant", "--alert", "0.5"],
      env,
    );
    expect(set).toMatchObject({ code: 0, out: expect.stringMatching(/^alerts +0\.5$/m) });
    const { out } = await run(budgetsCommand, [], env);
    expect(out).toMatch(/^house +configuration +tenant +acme +\d{4}-\d\d +\$100\.00 +\$0\.00 +\$100\.00 /m);
    expect(out).toMatch(/^team +runtime +tenant +acme +\d{4}-\d\d-\d\d +\$20\.00 +\$0\.00 +\$20\.00 /m);
    expect((await run(budgetsCommand, ["reset", "team"], env)).out).toMatch(/^used +0$/m);
    expect((await run(budgetsCommand, ["delete", "team"], env)).code).toBe(0);
    await expect(run(budgetsCommand, ["delete", "house"], env)).rejects.toThrow(/one of the configuration/);
  });
});

describe("heddle threads", () => {
  test("are listed, exported and deleted", async () => {
    const thread = await newThread(threadClient(place.gateway, keyOf("member")), {
      messages: [{ role: "user", parts: [{ type: "text", text: "grüße ✓" }] }],
    });
    expect((await run(threadsCommand, ["list", "--owner", "member"], env)).out).toContain(thread);
    const exported = await run(threadsCommand, ["export", thread, "--owner", "member"], env);
    expect(exported.out).toContain("grüße ✓");
    expect((await run(threadsCommand, ["delete", thread, "--owner", "member"], env)).out).toMatch(/^deleted +yes$/m);
    expect((await run(threadsCommand, ["list", "--owner", "member"], env)).out).toBe("no threads\n");
    expect(await run(threadsCommand, ["list"], env)).toMatchObject({
      code: 2,
      err: expect.stringContaining("--owner"),
    });
  });
});

describe("heddle audit and usage", () => {
  test("tell what there is, as a table, JSON and CSV", async () => {
    const { out } = await run(auditCommand, ["--action", "keys.*", "--limit", "2"], env);
    expect(out).toMatch(/^TIME +ACTOR +ACTION +TARGET +OUTCOME[^]*admin +keys\.revoke +\w+ +done +acme/);
    expect(JSON.parse((await run(auditCommand, ["list", "--json"], env)).out)).toMatchObject({ object: "list" });
    expect((await run(auditCommand, ["--csv"], env)).out).toMatch(/^id,at,actor_key/);

    expect(await run(usageCommand, ["--group-by", "day,model"], env)).toMatchObject({ code: 0, out: "no usage\n" });
    expect((await run(usageCommand, ["--csv"], env)).out).toMatch(/^requests,errors,/);
    await expect(run(usageCommand, ["--group-by", "week"], env)).rejects.toThrow(/group_by/);
  });
});

describe("every command", () => {
  const all = {
    keys: keysCommand,
    budgets: budgetsCommand,
    threads: threadsCommand,
    audit: auditCommand,
    usage: usageCommand,
  };

  test.each(Object.entries(all))(
    "%s has help, which says that HEDDLE_KEY is better than --key",
    async (name, command) => {
      const help = await run(command, ["--help"]);
      expect(help).toMatchObject({ code: 0, err: "", out: expect.stringContaining(`heddle ${name}`) });
      expect(help.out).toContain("HEDDLE_KEY is better");
      expect(await run(command, ["list", "--nonsense"])).toMatchObject({ code: 2, out: "" });
    },
  );

  test("wrong words are exit code 2, and name themselves", async () => {
    for (const args of [
      ["frob"],
      ["show"],
      ["show", "a", "b"],
      ["create"],
      ["create", "--name", "x", "--budget", "5"],
      [],
    ])
      expect(await run(keysCommand, args, env), args.join(" ")).toMatchObject({
        code: 2,
        err: expect.stringContaining("keys --help"),
      });
    expect(await run(keysCommand, ["list", "--url", "nowhere"])).toMatchObject({ code: 2 });
  });

  test("refusals are told in the server's words, without the key (F41)", async () => {
    const viewer = { ...env, HEDDLE_KEY: keyOf("viewer") };
    await expect(run(keysCommand, ["list"], viewer)).rejects.toThrow(
      new Failure("The caller's role does not allow keys:read."),
    );
    const wrong = run(keysCommand, ["list", "--key", "canary-wrong"], env);
    await expect(wrong).rejects.toThrow(/HEDDLE_KEY/);
    await expect(wrong).rejects.not.toThrow(/canary/);
  });

  test("no gateway there, or no gateway at all", async () => {
    await expect(run(keysCommand, ["list"], { HEDDLE_URL: "http://127.0.0.1:1" })).rejects.toThrow(
      /no gateway can be reached/,
    );
    const page = await startUpstream((_request, response) => void response.end("<html>canary</html>"));
    await expect(run(keysCommand, ["list"], { HEDDLE_URL: page.url })).rejects.toThrow(/is no Heddle gateway/);
    page.answer((_request, response) => void response.writeHead(302, { location: "/else" }).end());
    await expect(run(keysCommand, ["list"], { HEDDLE_URL: page.url, HEDDLE_KEY: "k" })).rejects.toThrow(Failure);
    expect(page.requests.map(({ url }) => url)).not.toContain("/else");
    await page.stop();
  });
});
