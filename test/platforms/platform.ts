// What the conformance suite knows of a platform: how it is reached, and how it differs from the others.
import { readFileSync } from "node:fs";
import type { Provider } from "./provider.ts";

/** It holds here, or why it does not: the suite then asserts what happens instead. */
export type Holds = true | { not: string };

export type Facts = {
  /** A client's leaving reaches the gateway, which lets go of the provider (F30). */
  tellsLeaving: Holds;
  /** A slow client slows the provider down: what waits for it is not gathered in the gateway. */
  backPressure: Holds;
  /** A body of bytes that breaks off is cut off for the client too: it does not look whole. */
  cutsBroken: Holds;
  /** Threads and runs are kept. */
  stores: Holds;
  /** A body that doesn't come to its end is given up after a while. */
  endsSlowBodies: Holds;
  /** Bodies reach the gateway byte for byte, whatever type they say they are of. */
  rawBodies: Holds;
  /** Header values reach the gateway as their bytes, whatever those are. */
  rawHeaders: Holds;
  /** Paths reach the gateway as they are written, letter by letter. */
  rawPaths: Holds;
  /** Bodies above this are refused by what stands before the gateway: its status, and no envelope of a wire. */
  frontLimit?: { bytes: number; status: number; why: string };
  /** How many calls the suite makes at once, and why no more. All of them share a process where it is undefined. */
  atOnce?: { calls: number; why: string };
  /** Answers must end by a time, and perhaps the runs behind them; absent where neither has to. */
  deadline?: { why: string; runsGoOn: Holds };
};

export type PlatformUnderTest = {
  name: string;
  /** Without a slash at its end. */
  url: string;
  provider: Provider;
  facts: Facts;
  /** All lines that were written so far, the gateway's and the platform's. */
  logs: () => readonly string[];
  /** Lines of the logs that the platform takes for faults of the program: there must be none. */
  faults: () => readonly string[];
  /** The most memory that a process ever had; undefined where the system does not tell. */
  peakMb?: () => number | undefined;
  /** The same, but answers must end within a few seconds: one, for all who ask. */
  short?: () => Promise<PlatformUnderTest>;
  stop: () => Promise<void>;
};

export type Platform = {
  name: string;
  facts: Facts;
  /** `config` is the text of heddle.yaml. */
  start: (provider: Provider, config: string) => Promise<PlatformUnderTest>;
};

export type Case = { name: string; run: (under: PlatformUnderTest) => Promise<void> };
/** The cases of one topic: what holds nowhere else is asserted as it is. */
export type Topic = (facts: Facts) => readonly Case[];

/** The most megabytes that a process ever had; undefined where the system does not tell. */
export const peakOf = (pid: number | undefined): number | undefined => {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
  } catch {
    return undefined;
  }
};

export const key = "fake-client-key-0123456789";
/** Low, so that what is too large need not be large. */
export const maxBodyBytes = 1024 * 1024;
/** Low, so that silence need not be long. */
const heartbeatMs = 50;
/** Low, and enough for what is small and near. */
const bodyTimeoutMs = 2_000;

/** One provider a wire; `gone` refuses every connection. What a platform proves is known, so that what a client says could be taken for it. */
export const configOf = (provider: string): string => `
providers:
  anthropic: { apiKey: fake-anthropic-key, baseUrl: "${provider}", betas: ["*"] }
  openai: { apiKey: fake-openai-key, baseUrl: "${provider}/v1", wires: [openai-responses] }
  compat: { kind: openai-compatible, apiKey: fake-compat-key, baseUrl: "${provider}/v1" }
  gemini: { apiKey: fake-gemini-key, baseUrl: "${provider}" }
  gone-anthropic: { kind: anthropic, apiKey: fake-gone-key, baseUrl: "http://127.0.0.1:1" }
  gone-openai: { kind: openai, apiKey: fake-gone-key, baseUrl: "http://127.0.0.1:1/v1", wires: [openai-responses] }
  gone-compat: { kind: openai-compatible, apiKey: fake-gone-key, baseUrl: "http://127.0.0.1:1/v1" }
  gone-gemini: { kind: gemini, apiKey: fake-gone-key, baseUrl: "http://127.0.0.1:1" }
  echo: { pace: 0 }
retry: { attempts: 1 }
server: { maxBodyBytes: ${maxBodyBytes}, heartbeatMs: ${heartbeatMs}, bodyTimeoutMs: ${bodyTimeoutMs} }
auth:
  mode: keys
  keys:
    - { name: test, key: "${key}" }
  identities:
    - { arn: "arn:aws:iam::123456789012:role/test", roles: [admin] }
    - { objectId: "00000000-0000-0000-0000-00000000c0de", roles: [admin] }
cors:
  origins: ["https://app.example"]
  headers: ["*"]
  exposeHeaders: [x-request-id]
  maxAgeSeconds: 600
`;
