// One event from a file, and its answer as it comes: head and errors beside, body out.
import type { LocalFunction } from "./function.ts";
import { createPreludeDecoder, type Head, integrationType } from "./prelude.ts";

export type ReplayOptions = {
  /** Takes the body. */
  out: (bytes: Uint8Array) => void;
  /** Takes a line about the answer. */
  say: (line: string) => void;
  /** The client leaves after so many chunks of the body; 0: it stays. */
  dropAfter: number;
};

/** True where the function failed. */
export const replay = async (target: LocalFunction, event: unknown, options: ReplayOptions): Promise<boolean> => {
  const { out, say, dropAfter } = options;
  let chunks = 0;
  const onHead = ({ status, headers }: Head): void => {
    say([`HTTP ${status}`, ...headers.map(([name, value]) => `${name}: ${value}`), ""].join("\n"));
  };
  let decode = (piece: Buffer): Buffer => piece;
  const { error } = await target.invoke(event, {
    start: (contentType) => {
      if (contentType === integrationType) decode = createPreludeDecoder(onHead);
    },
    chunk: (bytes) => {
      const body = decode(bytes);
      if (body.length === 0 || (dropAfter > 0 && chunks >= dropAfter)) return;
      chunks += 1;
      out(body);
      if (chunks === dropAfter) say(`The client has left after ${chunks} chunks; the function runs on.`);
    },
  });
  if (error !== undefined) say(`${error.type}: ${error.message}`);
  return error !== undefined;
};
