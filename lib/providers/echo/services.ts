// echo's embeddings, images and audio: small, valid, always the same.
import { asNumber, asObject, type JsonObject } from "../../model/json.ts";
import { invalid } from "../../model/error.ts";
import type { ProviderServices } from "../provider.ts";

const hash = (text: string, seed: number): number => {
  let value = 0x811c9dc5 ^ seed;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value ^= value >>> 15;
  return (Math.imul(value, 0x2c1b3c6d) >>> 0) / 2 ** 32;
};

/** A unit vector: the same text, the same direction. */
const vector = (text: string, dimensions: number): number[] => {
  const raw = Array.from({ length: dimensions }, (_, at) => hash(text, at) * 2 - 1);
  const length = Math.hypot(...raw) || 1;
  return raw.map((value) => value / length);
};

/** A string, strings, tokens or lists of tokens. */
const inputsOf = (input: unknown): string[] => {
  if (typeof input === "string") return [input];
  if (!Array.isArray(input) || input.length === 0)
    throw invalid("input", "expected a string, or a list of strings or tokens");
  if (input.every((each) => typeof each === "number")) return [input.join(" ")];
  return input.map((each) => {
    if (typeof each === "string") return each;
    if (Array.isArray(each) && each.every((token) => typeof token === "number")) return each.join(" ");
    throw invalid("input", "expected a string, or a list of strings or tokens");
  });
};

const crcTable = Array.from({ length: 256 }, (_, at) => {
  let value = at;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});
const crc = (bytes: Uint8Array): number => {
  let value = 0xffffffff;
  for (const byte of bytes) value = (crcTable[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
};
const pngChunk = (name: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const frame = Buffer.alloc(8 + body.length);
  frame.writeUInt32BE(data.length, 0);
  body.copy(frame, 4);
  frame.writeUInt32BE(crc(body), 4 + body.length);
  return frame;
};

/** 8 by 8 pixels of one colour that the prompt decides. */
const png = (prompt: string): Buffer => {
  const header = Buffer.from([0, 0, 0, 8, 0, 0, 0, 8, 8, 2, 0, 0, 0]);
  const colour = [1, 2, 3].map((seed) => Math.floor(hash(prompt, seed) * 256));
  const row = [0, ...Array.from({ length: 8 }, () => colour).flat()];
  const pixels = Buffer.from(Array.from({ length: 8 }, () => row).flat());
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    pngChunk("IHDR", header),
    pngChunk("IDAT", process.getBuiltinModule("node:zlib").deflateSync(pixels)),
    pngChunk("IEND", new Uint8Array(0)),
  ]);
};

/** A quarter of a second of 440 Hz, 8 kHz, 16 bit, one channel. */
const wav = (): Buffer => {
  const samples = 2_000;
  const file = Buffer.alloc(44 + samples * 2);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(36 + samples * 2, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(8_000, 24);
  file.writeUInt32LE(16_000, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(samples * 2, 40);
  for (let at = 0; at < samples; at += 1)
    file.writeInt16LE(Math.round(8_000 * Math.sin((2 * Math.PI * 440 * at) / 8_000)), 44 + at * 2);
  return file;
};

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export const echoServices = (models: readonly string[]): ProviderServices => ({
  listModels: () =>
    Promise.resolve(
      [...new Set(["echo", "echo-reasoning", "echo-embed", ...models])].map((id) => ({
        id,
        displayName: id,
        created: 1_780_000_000,
        ownedBy: "heddle",
      })),
    ),
  embeddings: (body) => {
    const texts = inputsOf(body["input"]);
    const dimensions = asNumber(body["dimensions"]) ?? 64;
    if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > 4_096)
      throw invalid("dimensions", "expected a whole number from 1 to 4096");
    const data = texts.map((text, index): JsonObject => {
      const values = vector(text, dimensions);
      const embedding =
        body["encoding_format"] === "base64" ? Buffer.from(new Float32Array(values).buffer).toString("base64") : values;
      return { object: "embedding", index, embedding };
    });
    const input = texts.reduce((sum, text) => sum + Math.max(1, Math.ceil(text.length / 4)), 0);
    return Promise.resolve({
      body: { object: "list", data, model: body["model"], usage: { prompt_tokens: input, total_tokens: input } },
      usage: { input, output: 0 },
    });
  },
  images: (body) => {
    const { prompt } = body;
    if (typeof prompt !== "string" || prompt === "") throw invalid("prompt", "expected a text");
    const many = Math.min(Math.max(asNumber(body["n"]) ?? 1, 1), 10);
    const data = Array.from({ length: many }, (_, at): JsonObject => {
      const base64 = png(prompt + at).toString("base64");
      return body["response_format"] === "url" ? { url: `data:image/png;base64,${base64}` } : { b64_json: base64 };
    });
    return Promise.resolve({ body: { created: 1_780_000_000, data } });
  },
  speech: (body) => {
    if (typeof body["input"] !== "string" || body["input"] === "") throw invalid("input", "expected a text");
    return Promise.resolve({ contentType: "audio/wav", body: once(wav()) });
  },
  transcribe: ({ file, fields }) => {
    const text = `An audio file named ${file.name} of ${file.bytes.length} bytes.`;
    if (fields["response_format"] === "text")
      return Promise.resolve({ contentType: "text/plain; charset=utf-8", body: `${text}\n` });
    const more =
      fields["response_format"] === "verbose_json"
        ? { task: "transcribe", language: "english", duration: 0.25, segments: [] }
        : {};
    return Promise.resolve({ contentType: "application/json", body: JSON.stringify({ text, ...asObject(more) }) });
  },
});
