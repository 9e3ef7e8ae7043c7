// Recorded provider traffic, where it is at hand: one real exchange a record. It belongs to others and is never copied here.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { JsonObject } from "../lib/model/json.ts";

export type Recorded = {
  id: string;
  repo: string;
  path: string;
  provider: string;
  protocol: string;
  method: string;
  urlpath: string;
  query: string;
  req: JsonObject | null;
  status: number;
  ctype: string;
  stream: boolean;
  features: string[];
  resp_text?: string;
  resp_b64?: string;
};

const file = fileURLToPath(new URL("../../shared/recorded/core.jsonl", import.meta.url));

/** False where the recordings are not at hand; suites then skip with `describe.skipIf(!haveRecordings)`. */
export const haveRecordings = existsSync(file);

/** The exchanges of one protocol, or all; none where they are not at hand. */
export const recordings = (protocol?: string): Recorded[] =>
  haveRecordings
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Recorded)
        .filter((record) => protocol === undefined || record.protocol === protocol)
    : [];

export const bodyOf = (record: Recorded): Uint8Array =>
  record.resp_b64 === undefined
    ? new TextEncoder().encode(record.resp_text ?? "")
    : new Uint8Array(Buffer.from(record.resp_b64, "base64"));

/** The body in fragments of `size` bytes. */
export const fragments = (body: Uint8Array, size: number): Uint8Array[] => {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += size) pieces.push(body.subarray(at, at + size));
  return pieces;
};
