// We never ask for compression upstream, as a tap must read the bytes; some hosts compress all the same.
import type { Headers } from "../model/call.ts";
import { GatewayError } from "../model/error.ts";

/** The body as plain bytes. `content-encoding` and `content-length` leave the headers where they no longer hold. */
export const decompressed = (headers: Headers, body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> => {
  const encoding = headers["content-encoding"];
  if (encoding === undefined || encoding === "identity" || encoding === "") return body;
  const zlib = process.getBuiltinModule("node:zlib");
  const stream = process.getBuiltinModule("node:stream");
  const make = {
    gzip: zlib.createGunzip,
    "x-gzip": zlib.createGunzip,
    deflate: zlib.createInflate,
    br: zlib.createBrotliDecompress,
  }[encoding];
  if (make === undefined)
    throw new GatewayError("upstream_error", "The provider's answer has a content encoding that was not asked for.");
  delete headers["content-encoding"];
  delete headers["content-length"];
  // A pipeline destroys the source when the reader leaves, and hands its failures to the reader.
  return stream.pipeline(stream.Readable.from(body, { objectMode: false }), make(), () => undefined);
};
