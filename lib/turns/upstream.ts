// One call of a model, as events, whatever the provider's wire: what a run stores and every wire's encoder reads.
import { firstEvents } from "../chat/cross-wire.ts";
import { isEventStream, upstreamError } from "../chat/answer.ts";
import type { Attempt } from "../chat/call.ts";
import { inlineMedia } from "../http/media.ts";
import type { MediaFetcher } from "../http/media-fetch.ts";
import { readAll } from "../http/transport.ts";
import { GatewayError, toGatewayError } from "../model/error.ts";
import type { StreamEvent } from "../model/event.ts";
import { asObject, parseJson } from "../model/json.ts";
import type { ChatRequest } from "../model/request.ts";
import { adapt, strictDrops } from "../wires/shared/adapt.ts";
import { unfold } from "../wires/shared/fold.ts";

export type UpstreamAnswer = {
  /** What the client's wire could say and the target can't. */
  dropped: readonly string[];
  /** The first real event among them. */
  first: StreamEvent[];
  /** The rest, in reads. It ends with `response-end` or `error`, and never throws. */
  rest: AsyncIterable<StreamEvent[]>;
};

const maxAnswer = 256 * 1024 * 1024;

/** Fields by which providers keep state of their own: Heddle keeps it, so that the conversation can move (F47). */
const providerState = new Set(["store", "previous_response_id", "conversation", "background", "stream_options"]);

const stateless = (request: ChatRequest, attempt: Attempt): ChatRequest => {
  const own = request.extra?.["openai-responses"];
  if (attempt.upstream.id !== "openai-responses" || own === undefined) return request;
  const kept = Object.fromEntries(Object.entries(own).filter(([name]) => !providerState.has(name)));
  const include = Array.isArray(kept["include"]) ? kept["include"] : [];
  const sealed = "reasoning.encrypted_content";
  return {
    ...request,
    extra: {
      ...request.extra,
      "openai-responses": { ...kept, store: false, include: include.includes(sealed) ? include : [...include, sealed] },
    },
  };
};

/** Resolves at the first real event; what fails before it throws, and another target may be asked (F25, F33). */
export const openUpstream = async (
  asked: ChatRequest,
  attempt: Attempt,
  options: { strict: boolean; fetchMedia: MediaFetcher },
): Promise<UpstreamAnswer> => {
  const { target, upstream, signal } = attempt;
  const request = await inlineMedia(
    stateless({ ...asked, stream: true, includeUsage: true }, attempt),
    { wire: upstream.id, target, fetch: options.fetchMedia },
    signal,
  );
  const adapted = adapt({ ...request, model: target.model }, upstream.id, target);
  const encoded = upstream.encodeRequest(adapted.request, target);
  const dropped = [...new Set(adapted.dropped.concat(encoded.dropped))];
  if (dropped.length > 0 && options.strict) throw strictDrops(dropped);
  const response = await attempt.provider.send(
    {
      wire: upstream.id,
      operation: "generate",
      model: target.model,
      stream: true,
      headers: encoded.headers === undefined ? attempt.headers : { ...attempt.headers, ...encoded.headers },
      body: JSON.stringify(encoded.body),
    },
    signal,
  );
  if (response.status >= 400) throw await upstreamError(response, attempt);
  const { restore } = adapted;
  if (!isEventStream(response)) {
    // The host ignored the wish for a stream.
    const body = await readAll(response.body, maxAnswer);
    const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString("utf8");
    const value = parseJson(text);
    if (value === undefined)
      throw new GatewayError("upstream_error", "The provider's answer is not valid JSON.", {
        provider: target.provider,
      });
    if ((asObject(value)?.["error"] ?? null) !== null && upstream.id !== "openai-responses")
      throw upstream.decodeError(502, response.headers, text, target);
    const decoded = upstream.decodeResponse(value, target);
    return { dropped, first: unfold(restore === undefined ? decoded : restore.response(decoded)), rest: nothing() };
  }
  const iterator = response.body[Symbol.asyncIterator]();
  const decoder = upstream.decodeEvents(target);
  const restored = (events: StreamEvent[]): StreamEvent[] => (restore === undefined ? events : restore.events(events));
  const begun = await firstEvents(iterator, decoder, restored);
  const rest = async function* (): AsyncGenerator<StreamEvent[]> {
    try {
      while (!begun.ended) {
        const { done, value } = await iterator.next();
        const events = restored(done === true ? decoder.end() : decoder.push(value));
        if (events.length > 0) yield events;
        if (done === true) return;
      }
    } catch (thrown) {
      yield [{ type: "error", error: toGatewayError(thrown) }];
    } finally {
      await iterator.return?.();
    }
  };
  return { dropped, first: begun.events, rest: rest() };
};

// oxlint-disable-next-line require-yield
async function* nothing(): AsyncGenerator<StreamEvent[]> {}
