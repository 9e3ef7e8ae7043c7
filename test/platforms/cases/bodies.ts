// Bodies: bytes as they were, both ways; and each wire's word on those that can't be taken.
import { expect } from "vitest";
import type { ClientWireId } from "../../../lib/model/wire-id.ts";
import { rawWires } from "../../support/wires.ts";
import { callOf, headersOf, wireIds } from "../calls.ts";
import { ask } from "../client.ts";
import { type Case, type Facts, key, maxBodyBytes, type Topic } from "../platform.ts";
import { says } from "../provider.ts";

const authorized = { authorization: `Bearer ${key}` };

/** Every byte, many times, and in no order that a text would have. */
const binary = (size: number): Buffer => {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 1) bytes[at] = (at * 167 + (at >> 8) * 13) & 255;
  return bytes;
};

/** A call whose body is so many bytes long. */
const ofSize = (wire: ClientWireId, model: string, size: number): ReturnType<typeof callOf> => {
  const empty = String(callOf(wire, model, { text: "" }).body).length;
  return callOf(wire, model, { text: "x".repeat(size - empty) });
};

const formOf = (model: string, file: Buffer): { type: string; body: Buffer } => {
  const boundary = "----fake-boundary";
  const part = (head: string, content: Buffer | string): Buffer =>
    Buffer.concat([
      Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`),
      Buffer.from(content as Buffer),
      Buffer.from("\r\n"),
    ]);
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    body: Buffer.concat([
      part('content-disposition: form-data; name="model"', model),
      part('content-disposition: form-data; name="prompt"', "M\u00e9moire \u{1f9f5}"),
      part('content-disposition: form-data; name="file"; filename="speech.wav"\r\ncontent-type: audio/wav', file),
      Buffer.from(`--${boundary}--\r\n`),
    ]),
  };
};

const onWire = (wire: ClientWireId): Case[] => {
  const path = callOf(wire, "weft").path;
  const refused = (name: string, body: string | Uint8Array, status: number, more: object = {}): Case => ({
    name: `${wire}: ${name}`,
    run: async (under) => {
      const before = under.provider.calls();
      const answer = await ask(under.url, { method: "POST", path, headers: headersOf(wire), body, ...more });
      expect(answer.status).toBe(status);
      rawWires[wire].envelope(answer.json());
      expect(under.provider.calls()).toBe(before);
    },
  });
  const compressed = { headers: { ...headersOf(wire), "content-encoding": "gzip" } };
  return [
    refused("an empty body is a 400", "", 400),
    refused("no body at all is a 400", new Uint8Array(0), 400, { body: undefined }),
    refused("a body that is not JSON is a 400", "{hello", 400),
    refused("a body that is no object is a 400", '["hello"]', 400),
    refused("half of a body is a 400", '{"model":"echo/echo","messages":[{"role":"us', 400),
    refused("a compressed body is a 415", Buffer.from("1f8b0800", "hex"), 415, compressed),
    {
      name: `${wire}: a body at the limit is taken, one byte more is a 413 that names the limit`,
      run: async (under) => {
        const { model, heard } = under.provider.play(says(rawWires[wire].whole));
        const most = await ask(under.url, ofSize(wire, model, maxBodyBytes));
        expect(most.status).toBe(200);
        expect(heard[0]?.text).toContain("x".repeat(maxBodyBytes - 1_000));
        const more = await ask(under.url, ofSize(wire, model, maxBodyBytes + 1));
        expect(more.status).toBe(413);
        rawWires[wire].envelope(more.json());
        expect(more.text).toContain(String(maxBodyBytes));
        expect(heard).toHaveLength(1);
      },
    },
    {
      name: `${wire}: letters of all alphabets arrive and come back as they are`,
      run: async (under) => {
        const text = '\u00e9\u6f22\u{1f9f5}\u0000\u001f\u2028\ufeff"\\ \ud83e';
        const { model, heard } = under.provider.play(says(rawWires[wire].whole));
        const call = callOf(wire, model, { text });
        expect((await ask(under.url, call)).status).toBe(200);
        expect(heard[0]?.text).toContain(JSON.stringify(text));
      },
    },
  ];
};

const cases: Case[] = [
  {
    name: "an empty object names the field that is missing",
    run: async (under) => {
      for (const path of ["/v1/chat/completions", "/v1/messages", "/v1/responses"]) {
        const answer = await ask(under.url, {
          path,
          headers: { ...authorized, "content-type": "application/json" },
          body: "{}",
        });
        expect(answer.status).toBe(400);
        expect(answer.text).toContain("model");
      }
    },
  },
  {
    name: "a byte order mark before JSON is no trouble",
    run: async (under) => {
      const { model, heard } = under.provider.play(says(rawWires["openai-chat"].whole));
      const call = callOf("openai-chat", model);
      expect((await ask(under.url, { ...call, body: `\ufeff${String(call.body)}` })).status).toBe(200);
      expect(JSON.parse(heard[0]?.text ?? "")).toMatchObject({ model });
    },
  },
  {
    name: "a body of another type is read as what it is",
    run: async (under) => {
      for (const type of ["text/plain", "application/octet-stream", "application/json; charset=utf-8", ""]) {
        const { model, heard } = under.provider.play(says(rawWires["openai-chat"].whole));
        const call = callOf("openai-chat", model, { text: "\u00e9\u{1f9f5}", headers: { "content-type": type } });
        expect(`${type} ${(await ask(under.url, call)).status}`).toBe(`${type} 200`);
        expect(heard[0]?.text).toContain("\u00e9\u{1f9f5}");
      }
    },
  },
  {
    name: "bytes come out as they were: speech, in pieces and whole",
    run: async (under) => {
      for (const size of [1, 300, 70_000, 3_000_000]) {
        const bytes = binary(size);
        const { model } = under.provider.play(async (out) => {
          out.head(200, { "content-type": "audio/mpeg" });
          for (let at = 0; at < size; at += 65_536) await out.write(bytes.subarray(at, at + 65_536));
          out.end();
        });
        const answer = await ask(under.url, {
          path: "/v1/audio/speech",
          headers: { ...authorized, "content-type": "application/json" },
          body: JSON.stringify({ model: `compat/${model}`, input: "Hi", voice: "any" }),
        });
        expect(answer.status).toBe(200);
        expect(answer.headers["content-type"]).toBe("audio/mpeg");
        expect(answer.bytes.equals(bytes)).toBe(true);
      }
    },
  },
  {
    name: "bytes go in as they are: an uploaded file",
    run: async (under) => {
      const file = binary(300_000);
      const { model, heard } = under.provider.play(says({ text: "Hello" }));
      const { type, body } = formOf(`compat/${model}`, file);
      for (const chunked of [false, true]) {
        const answer = await ask(under.url, {
          path: "/v1/audio/transcriptions",
          headers: { ...authorized, "content-type": type },
          body,
          chunked,
        });
        expect(answer.status).toBe(200);
        expect(answer.json()).toEqual({ text: "Hello" });
      }
      expect(heard.map(({ bytes }) => bytes.includes(file))).toEqual([true, true]);
      expect(heard[0]?.text).toContain("M\u00e9moire \u{1f9f5}");
    },
  },
  {
    name: "a body of no announced length",
    run: async (under) => {
      const { model, heard } = under.provider.play(says(rawWires["openai-chat"].whole));
      const call = callOf("openai-chat", model, { text: "\u00e9".repeat(50_000) });
      expect((await ask(under.url, { ...call, chunked: true })).status).toBe(200);
      expect(heard[0]?.text).toContain("\u00e9".repeat(50_000));
    },
  },
  {
    name: "a body of no announced length, above the limit, is a 413",
    run: async (under) => {
      const call = ofSize("anthropic-messages", "weft", maxBodyBytes + 1);
      const answer = await ask(under.url, { ...call, chunked: true });
      expect(answer.status).toBe(413);
      rawWires["anthropic-messages"].envelope(answer.json());
    },
  },
  {
    name: "a client that waits to be told before it sends its body is told",
    run: async (under) => {
      const { model, heard } = under.provider.play(says(rawWires["openai-chat"].whole));
      const answer = await ask(under.url, { ...callOf("openai-chat", model), expectContinue: true });
      expect(answer).toMatchObject({ status: 200, continued: true });
      expect(heard).toHaveLength(1);
    },
  },
];

const atFront = ({ bytes, status, why }: NonNullable<Facts["frontLimit"]>): Case => ({
  name: `above ${bytes} bytes the platform itself refuses: ${why}`,
  run: async (under) => {
    const before = under.provider.calls();
    const answer = await ask(under.url, ofSize("openai-chat", "weft", bytes + 1));
    expect(answer).toMatchObject({ status, whole: true });
    expect(under.provider.calls()).toBe(before);
  },
});

/** A text whose bytes are Latin-1's. */
const notUtf8 = (type: string): ReturnType<typeof callOf> => ({
  path: "/v1/embeddings",
  headers: { ...authorized, "content-type": type },
  body: Buffer.from('{"model":"echo/echo","input":"caf\u00e9"}', "latin1"),
});

const badText = (rawBodies: Facts["rawBodies"]): Case => ({
  name: `bytes that are no UTF-8 are a 400${rawBodies === true ? "" : `, but where they come as a text: ${rawBodies.not}`}`,
  run: async (under) => {
    const asBytes = await ask(under.url, notUtf8("application/octet-stream"));
    expect(asBytes.status).toBe(400);
    expect(asBytes.text).toContain("UTF-8");
    const asText = await ask(under.url, notUtf8("application/json"));
    expect(asText.status).toBe(rawBodies === true ? 400 : 200);
  },
});

export const bodies: Topic = ({ frontLimit, rawBodies }) => [
  ...cases,
  badText(rawBodies),
  ...(frontLimit === undefined ? [] : [atFront(frontLimit)]),
  ...wireIds.flatMap(onWire),
];
