// A streamed answer's head: a JSON object, eight NUL bytes, then the body. Pieces may be cut anywhere.

export const integrationType = "application/vnd.awslambda.http-integration-response";

export type Head = { status: number; headers: [string, string][] };

const delimiter = Buffer.alloc(8);

type Prelude = {
  statusCode?: number;
  headers?: Record<string, string | number | boolean>;
  multiValueHeaders?: Record<string, string[]>;
  cookies?: string[];
};

const headOf = (json: string): Head => {
  const { statusCode = 200, headers = {}, multiValueHeaders = {}, cookies = [] } = JSON.parse(json) as Prelude;
  const many = new Set(Object.keys(multiValueHeaders).map((name) => name.toLowerCase()));
  return {
    status: statusCode,
    headers: [
      ...Object.entries(headers)
        .filter(([name]) => !many.has(name.toLowerCase()))
        .map(([name, value]): [string, string] => [name, String(value)]),
      ...Object.entries(multiValueHeaders).flatMap(([name, values]) =>
        values.map((value): [string, string] => [name, value]),
      ),
      ...cookies.map((cookie): [string, string] => ["set-cookie", cookie]),
    ],
  };
};

/** Takes the pieces of a streamed answer; gives the body's. `onHead` is called once, before the first. Throws where the JSON is broken. */
export const createPreludeDecoder = (onHead: (head: Head) => void): ((piece: Buffer) => Buffer) => {
  let held: Buffer | undefined = Buffer.alloc(0);
  return (piece) => {
    if (held === undefined) return piece;
    held = Buffer.concat([held, piece]);
    const end = held.indexOf(delimiter);
    if (end < 0) return Buffer.alloc(0);
    const rest = held.subarray(end + delimiter.length);
    const json = held.toString("utf8", 0, end);
    held = undefined;
    onHead(headOf(json));
    return rest;
  };
};

type Buffered = Prelude & { body?: string; isBase64Encoded?: boolean };

/** An answer that came whole: the same object with its body inside, or any JSON, which is then the body. */
export const decodeWhole = (json: string): { head: Head; body: Buffer } => {
  const answer = JSON.parse(json) as Buffered | null;
  if (answer === null || typeof answer !== "object" || answer.statusCode === undefined)
    return { head: { status: 200, headers: [["content-type", "application/json"]] }, body: Buffer.from(json) };
  return {
    head: headOf(json),
    body: Buffer.from(answer.body ?? "", answer.isBase64Encoded === true ? "base64" : "utf8"),
  };
};
