// A small S3: objects in memory, over real HTTP, path style, as far as blobs need it. It checks the hash that is sent along.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";

export type LocalS3 = {
  /** What `openS3Blobs` takes as `client`. */
  client: {
    endpoint: string;
    region: string;
    forcePathStyle: true;
    credentials: { accessKeyId: string; secretAccessKey: string };
  };
  bucket: string;
  objects: Map<string, Buffer>;
  /** What it answers next instead: a status with S3's code for it, one for each request. */
  refusals: { status: number; code: string }[];
  stop: () => Promise<void>;
};

const bodyOf = async (message: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

export const startS3 = async (): Promise<LocalS3> => {
  const bucket = "bucket";
  const objects = new Map<string, Buffer>();
  const refusals: LocalS3["refusals"] = [];
  const server = createServer((request, response) => {
    const refuse = (status: number, code: string): void => {
      response.writeHead(status, { "content-type": "application/xml" });
      response.end(
        `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
      );
    };
    const answer = async (): Promise<void> => {
      const body = await bodyOf(request);
      const key = new URL(request.url ?? "/", "http://s3").pathname;
      const refusal = refusals.shift();
      if (refusal !== undefined) return refuse(refusal.status, refusal.code);
      if (!request.headers.authorization?.startsWith("AWS4-HMAC-SHA256 ")) return refuse(403, "AccessDenied");
      if (!key.startsWith(`/${bucket}/`)) return refuse(404, "NoSuchBucket");
      if (request.method === "PUT") {
        const hash = createHash("sha256").update(body).digest("base64");
        if (request.headers["x-amz-checksum-sha256"] !== hash) return refuse(400, "BadDigest");
        objects.set(key, body);
        response.writeHead(200, { etag: '"1"' }).end();
        return;
      }
      const found = objects.get(key);
      if (request.method === "DELETE") {
        objects.delete(key);
        response.writeHead(204).end();
        return;
      }
      if (found === undefined) return refuse(404, "NoSuchKey");
      response.writeHead(200, { "content-length": found.length }).end(found);
    };
    answer().catch(() => request.socket.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("No port.");
  return {
    client: {
      endpoint: `http://127.0.0.1:${address.port}`,
      region: "eu-west-1",
      forcePathStyle: true,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    },
    bucket,
    objects,
    refusals,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
