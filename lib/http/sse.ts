// Server-sent events, read from any fragmentation (F8): CR, LF and CRLF, `data:` with and without a space, comments, many data lines, UTF-8 split between reads.

export type SseEvent = { event?: string; data: string; id?: string };

export type SseSplitter = {
  push: (chunk: Uint8Array) => SseEvent[];
  /** What stands unterminated at the end of the stream, as an event, where it has data. */
  end: () => SseEvent[];
};

/** Incremental: one string per read, cut at line ends; nothing is kept but the unfinished line and event. */
export const createSseSplitter = (): SseSplitter => {
  const decoder = new TextDecoder();
  let rest = "";
  let event: string | undefined;
  let id: string | undefined;
  let data: string | undefined;

  const line = (text: string, out: SseEvent[]): void => {
    if (text === "") {
      if (data !== undefined) out.push(make());
      event = undefined;
      data = undefined;
      return;
    }
    const colon = text.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? text : text.slice(0, colon);
    let value = colon < 0 ? "" : text.slice(colon + 1);
    if (value.charCodeAt(0) === 32) value = value.slice(1);
    if (field === "data") data = data === undefined ? value : `${data}\n${value}`;
    else if (field === "event") event = value;
    else if (field === "id") id = value;
  };

  const make = (): SseEvent => {
    const made: SseEvent = { data: data ?? "" };
    if (event !== undefined) made.event = event;
    if (id !== undefined) made.id = id;
    return made;
  };

  const feed = (text: string, last: boolean): SseEvent[] => {
    const out: SseEvent[] = [];
    const all = rest === "" ? text : rest + text;
    let from = 0;
    for (;;) {
      let at = all.indexOf("\n", from);
      const cr = all.indexOf("\r", from);
      if (cr >= 0 && (at < 0 || cr < at)) {
        // A CR that ends the buffer may be half of a CRLF: wait for the next read.
        if (cr === all.length - 1 && !last) break;
        line(all.slice(from, cr), out);
        from = all.charCodeAt(cr + 1) === 10 ? cr + 2 : cr + 1;
        continue;
      }
      if (at < 0) break;
      line(all.slice(from, at), out);
      from = at + 1;
      at = -1;
    }
    rest = all.slice(from);
    return out;
  };

  return {
    push: (chunk) => feed(decoder.decode(chunk, { stream: true }), false),
    end: () => {
      const out = feed(decoder.decode(), true);
      if (rest !== "") line(rest, out);
      rest = "";
      if (data !== undefined) out.push(make());
      data = undefined;
      return out;
    },
  };
};

/** One frame. Anthropic and Responses name their events; Chat and Gemini must not. */
export const sseFrame = (data: string, event?: string): string =>
  event === undefined ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`;
