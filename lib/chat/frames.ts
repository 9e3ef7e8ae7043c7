// Whole SSE frames out of any reads: what is forwarded always ends between two events, so that a heartbeat or an error can follow (F9, F26).

export type FrameCutter = {
  /** The bytes up to the last frame boundary; undefined where none was reached. */
  push: (chunk: Uint8Array) => Uint8Array | undefined;
  /** What stands after the last boundary. */
  rest: () => Uint8Array;
};

const LF = 10;
const CR = 13;

/** The offset after the last blank line; 0 where there is none. */
const lastBoundary = (bytes: Uint8Array): number => {
  for (let at = bytes.lastIndexOf(LF); at > 0; at = bytes.lastIndexOf(LF, at - 1)) {
    const before = bytes[at - 1];
    if (before === LF || (before === CR && bytes[at - 2] === LF)) return at + 1;
  }
  for (let at = bytes.lastIndexOf(CR); at > 0; at = bytes.lastIndexOf(CR, at - 1))
    if (bytes[at - 1] === CR) return at + 1;
  return 0;
};

export const createFrameCutter = (): FrameCutter => {
  let pending: Uint8Array[] = [];
  let pendingTail: Uint8Array = new Uint8Array(0);

  const hold = (chunk: Uint8Array): void => {
    pending.push(chunk);
    pendingTail =
      chunk.length >= 3 ? chunk.subarray(chunk.length - 3) : Buffer.concat([pendingTail, chunk]).subarray(-3);
  };

  return {
    push: (chunk) => {
      if (pending.length === 0) {
        const end = lastBoundary(chunk);
        if (end === chunk.length) return chunk;
        if (end === 0) {
          hold(chunk);
          return undefined;
        }
        hold(chunk.subarray(end));
        return chunk.subarray(0, end);
      }
      const seam = Buffer.concat([pendingTail, chunk]);
      const end = lastBoundary(seam) - pendingTail.length;
      if (end <= 0) {
        hold(chunk);
        return undefined;
      }
      const whole = Buffer.concat([...pending, chunk.subarray(0, end)]);
      pending = [];
      pendingTail = new Uint8Array(0);
      if (end < chunk.length) hold(chunk.subarray(end));
      return whole;
    },
    rest: () => (pending.length === 0 ? new Uint8Array(0) : Buffer.concat(pending)),
  };
};
