// `heddle doctor`: tries out all that the configuration names, on this machine, and says what to mend. It tells no secret.
import { loadConfig } from "../../../lib/config.ts";
import type { HeddleConfig } from "../../../lib/config-types.ts";
import { ConfigError } from "../../../lib/config/problems.ts";
import { localSecrets } from "../platform.ts";
import { readArguments } from "./arguments.ts";
import { examineAccess, examineAdministration, examineNode, examinePort, examineWebhook } from "./examine-host.ts";
import { examineProviders } from "./examine-providers.ts";
import { examineSecrets, examineStorage } from "./examine-storage.ts";
import { fail, type Finding, findingsText, ok, warn } from "./findings.ts";
import { type Command, type Io, UsageError } from "./io.ts";
import { jsonText } from "./table.ts";

const help = `heddle doctor [file]   tries out the configuration, each provider, the store, blobs, queue,
                       secrets, clock and port of this machine, and says what to mend

  --json               as JSON
Exit code 1 where something is to be mended. A pepper is made where there is none.
`;

const readConfig = async (io: Io, path: string | undefined): Promise<HeddleConfig | Finding[]> => {
  try {
    return await loadConfig({ env: io.env, readFile: io.readFile, ...(path === undefined ? {} : { path }) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split("\n").map((line) => fail("configuration", line, "heddle check says the same"));
  }
};

const examine = async (io: Io, path: string | undefined): Promise<Finding[]> => {
  const node = examineNode(process.versions.node);
  const config = await readConfig(io, path);
  if (Array.isArray(config)) return [node, ...config];
  const secrets = localSecrets(config, (name) => io.env[name]);
  return [
    node,
    ok("configuration", config.source ?? "environment only"),
    ...config.notices.map((notice) => warn("configuration", notice, "see docs/configuration.md")),
    examineAccess(config),
    ...examineAdministration(config),
    await examinePort(config),
    await examineSecrets(config, secrets),
    ...(await examineStorage(config, secrets, Date.now())),
    ...examineWebhook(config),
    ...(await examineProviders(config, Date.now)),
  ];
};

export const doctorCommand: Command = async (args, io) => {
  try {
    const given = readArguments(args, { json: { type: "boolean" }, help: { type: "boolean", short: "h" } }, ["file?"]);
    if (given.flag("help")) {
      io.out(help);
      return 0;
    }
    const findings = await examine(io, given.words[0]);
    const failed = findings.some(({ status }) => status === "fail");
    io.out(given.flag("json") ? jsonText({ ok: !failed, findings }) : findingsText(findings));
    return failed ? 1 : 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.err(`heddle doctor: ${error.message}; see heddle doctor --help\n`);
    return 2;
  }
};
