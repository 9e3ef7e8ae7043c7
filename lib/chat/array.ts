// Gemini without `alt=sse`: the provider is always asked for SSE, and what passes becomes the elements of a JSON array. Each is its own text, untouched.
import { createSseSplitter, type SseEvent } from "../http/sse.ts";
import { parseJson } from "../model/json.ts";

/** How passed frames reach the client: as they are, or as an array. */
export type Form = {
  push: (frames: Uint8Array) => Uint8Array | string;
  /** What ends the body: it must be whole even where the stream was not. */
  close: () => string;
};

export const asTheyAre: Form = { push: (frames) => frames, close: () => "" };

/** What is no JSON is left out: the array stays one, and that the stream was broken is told by the error that follows. */
export const arrayForm = (): Form => {
  const splitter = createSseSplitter();
  let opened = false;
  const elements = (events: readonly SseEvent[]): string => {
    let text = "";
    for (const { data } of events) {
      if (parseJson(data) === undefined) continue;
      text += (opened ? ",\r\n" : "[") + data;
      opened = true;
    }
    return text;
  };
  return {
    push: (frames) => elements(splitter.push(frames)),
    close: () => {
      const last = elements(splitter.end());
      return last + (opened ? "\n]\n" : "[]\n");
    },
  };
};
