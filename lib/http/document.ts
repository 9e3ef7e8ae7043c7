// A small document from a host that the configuration trusts: no redirect, bounded in size and time.
import { readAll, type Transport } from "./transport.ts";

/** Gives any status as it came. Rejects where the host can't be reached in time, or sends more than `maxBytes`. */
export const createDocumentFetcher =
  (transport: Transport) =>
  async (
    url: string,
    { maxBytes, timeoutMs }: { maxBytes: number; timeoutMs: number },
  ): Promise<{ status: number; text: string }> => {
    const signal = AbortSignal.timeout(timeoutMs);
    const { status, body } = await transport.send(
      { method: "GET", url, headers: { accept: "application/json" } },
      signal,
    );
    return { status, text: new TextDecoder().decode(await readAll(body, maxBytes)) };
  };
