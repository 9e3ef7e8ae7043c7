// What an app folder says beside its code: host.json, and the settings of this machine.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the host reads of host.json, as far as this one does what it says. */
export type HostJson = {
  /** `hh:mm:ss`; no more than so long may any invocation take. "-1": as long as it likes. */
  functionTimeout?: string;
  extensions?: {
    http?: { routePrefix?: string };
    queues?: {
      batchSize?: number;
      newBatchThreshold?: number;
      /** `hh:mm:ss`: how long a message that failed stays hidden. */
      visibilityTimeout?: string;
      maxDequeueCount?: number;
      maxPollingInterval?: string;
      messageEncoding?: "base64" | "none";
    };
  };
};

const readJson = (file: string): unknown => {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`${file} is no JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
};

export const readHostJson = (appFolder: string): HostJson => readJson(join(appFolder, "host.json")) as HostJson;

/** `Values` of local.settings.json, under what the environment says. */
export const readSettings = (
  appFolder: string,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> => {
  const { Values = {} } = readJson(join(appFolder, "local.settings.json")) as { Values?: Record<string, string> };
  const own = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...Values, ...Object.fromEntries(own) };
};

/** Milliseconds of `hh:mm:ss`, with days (`1.00:00:00`) and fractions where there are any. Throws on anything else. */
export const millisecondsOf = (span: string): number => {
  const match = /^(?:(\d+)\.)?(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(span);
  if (match === null) throw new Error(`host.json: "${span}" is no time span (hh:mm:ss)`);
  const [, days = "0", hours = "0", minutes = "0", seconds = "0"] = match;
  return (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
};

/** Puts settings where a binding names them: `%NAME%`. Throws where one is missing. */
export const resolveNames = (text: string, settings: Readonly<Record<string, string>>): string =>
  text.replaceAll(/%([^%]+)%/g, (whole, name: string) => {
    const value = settings[name];
    if (value === undefined) throw new Error(`${whole}: there is no setting ${name}`);
    return value;
  });
