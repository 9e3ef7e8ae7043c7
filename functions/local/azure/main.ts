// `npm run azure`: the built function app under a local Functions host, without Core Tools; or one event from a file.
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { readArguments } from "../cli/arguments.ts";
import { eventKey, runCommand, say, toldToEnd } from "../command.ts";
import { type FunctionsHost, type HostOptions, startHost, triggerOf } from "./host.ts";
import { readEvent, replay } from "./replay.ts";
import { readHostJson, readSettings } from "./settings.ts";

const usage = `npm run azure [-- [event file] [options]]

  Without a file: the function app, http://127.0.0.1:7071, with its queue and its timer
  With one (events/azure/*.json): gives it to the function it is meant for, and prints the answer as it streams

  --port N          of HTTP (7071)
  --app FOLDER      where host.json and package.json are, and local.settings.json where there is one (.)
  --timeout S       when an HTTP call is given up (230)
  --drop-after N    the client leaves after N chunks
`;

const read = (args: readonly string[]) => {
  const text = { type: "string" } as const;
  const given = readArguments(
    args,
    { port: text, app: text, timeout: text, "drop-after": text, help: { type: "boolean" } },
    ["event file?"],
  );
  return {
    file: given.words[0],
    help: given.flag("help"),
    port: given.whole("port") ?? 7071,
    appFolder: resolve(given.text("app") ?? "."),
    timeoutMs: (given.whole("timeout") ?? 230) * 1000,
    dropAfter: given.whole("drop-after") ?? 0,
  };
};

/** What there is to call, as `func start` lists it. */
const list = ({ url, functions }: FunctionsHost, prefix: string): void => {
  say("Functions:");
  for (const each of functions) {
    const trigger = triggerOf(each);
    const what =
      trigger?.type === "httpTrigger"
        ? `[${String(trigger["methods"])}] ${[url, prefix, trigger["route"]].filter((part) => part !== "").join("/")}`
        : [trigger?.type, trigger?.["queueName"], trigger?.["schedule"]]
            .filter((part) => typeof part === "string")
            .join(" ");
    say(`  ${each.name}: ${what}`);
  }
};

const run = async (): Promise<number> => {
  const { file, help, appFolder, port, timeoutMs, dropAfter } = read(process.argv.slice(2));
  if (help) {
    process.stdout.write(usage);
    return 0;
  }
  if (!existsSync(resolve(appFolder, "host.json")) || !existsSync(resolve(appFolder, "package.json"))) {
    say(`${appFolder} is no function app: it has not both host.json and package.json.`);
    return 1;
  }
  const event = file === undefined ? undefined : readEvent(JSON.parse(readFileSync(file, "utf8")));
  const settings = readSettings(appFolder, process.env);
  const shared: Omit<HostOptions, "settings" | "port"> = {
    appFolder,
    timeoutMs,
    log: ({ text }) => say(text),
  };
  if (event !== undefined) {
    const host = await startHost({
      ...shared,
      port: 0,
      triggers: false,
      settings: { HEDDLE_ADMIN_KEY: eventKey, ...settings },
    });
    try {
      return (await replay(host, event, {
        out: (bytes) => void process.stdout.write(bytes),
        say,
        dropAfter,
      }))
        ? 1
        : 0;
    } finally {
      await host.stop();
    }
  }
  const host = await startHost({ ...shared, port, dropAfter, settings });
  list(host, readHostJson(appFolder).extensions?.http?.routePrefix ?? "api");
  if (settings["HEDDLE_ADMIN_KEY"] === undefined && !existsSync(resolve(appFolder, "heddle.yaml")))
    say("It knows no key yet: set HEDDLE_ADMIN_KEY, or write a heddle.yaml.");
  await toldToEnd();
  await host.stop();
  return 0;
};

await runCommand(run, usage);
