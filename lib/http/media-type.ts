// What a fetched medium is: by what the caller said, by what the host says, by its first bytes.
import type { Part } from "../model/message.ts";

const signatures: readonly (readonly [test: (head: string) => boolean, type: string])[] = [
  [(head) => head.startsWith("\x89PNG\r\n"), "image/png"],
  [(head) => head.startsWith("\xff\xd8\xff"), "image/jpeg"],
  [(head) => head.startsWith("GIF8"), "image/gif"],
  [(head) => head.startsWith("RIFF") && head.slice(8, 12) === "WEBP", "image/webp"],
  [(head) => head.startsWith("RIFF") && head.slice(8, 12) === "WAVE", "audio/wav"],
  [(head) => head.startsWith("ID3") || head.startsWith("\xff\xfb"), "audio/mpeg"],
  [(head) => head.startsWith("%PDF-"), "application/pdf"],
  [(head) => head.slice(4, 8) === "ftyp", "video/mp4"],
];

/** Stores and file servers say these of anything. */
const saysNothing = /^(?:|application\/octet-stream|binary\/octet-stream|application\/x-download)$/;

const plain = (type: string | undefined): string => (type?.split(";")[0] ?? "").trim().toLowerCase();

const prefixes: Partial<Record<Part["type"], string>> = { image: "image/", audio: "audio/", video: "video/" };

/** Undefined where it is not of the part's kind: a login page in the place of a picture, say. */
export const mediaTypeOf = (
  kind: Part["type"],
  said: string | undefined,
  contentType: string | undefined,
  bytes: Uint8Array,
): string | undefined => {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 16)).toString("latin1");
  const seen = signatures.find(([test]) => test(head))?.[1];
  const told = plain(contentType);
  const prefix = prefixes[kind];
  if (prefix === undefined) return said ?? (saysNothing.test(told) ? (seen ?? "application/octet-stream") : told);
  if (seen?.startsWith(prefix) === true) return seen;
  if (told.startsWith(prefix)) return said ?? told;
  return saysNothing.test(told) && said?.startsWith(prefix) === true ? said : undefined;
};
