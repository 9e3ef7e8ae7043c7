// Files and what they are for: attachments that reach the model, whatever becomes of the file, and nobody else's.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dataFolder } from "../../support/data.ts";
import { startGateway, startUpstream, type TestGateway, type TestUpstream } from "../../support/gateway.ts";
import { rawWires } from "../../support/wires.ts";
import { Refused, siiliClient, type SiiliClient, storeOf } from "./client.ts";

const data = dataFolder();
const chat = rawWires["openai-chat"];
let upstream: TestUpstream;
let gateway: TestGateway;
let ada: SiiliClient;
let bob: SiiliClient;
let eve: SiiliClient;
beforeAll(async () => {
  upstream = await startUpstream((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.end(chat.begin + chat.end);
  });
  gateway = await startGateway(
    `
providers: { compat: { kind: openai-compatible, apiKey: fake-compat-key, baseUrl: "${upstream.url}/v1" } }
siili: { model: compat/seer, system: Be brief. }
server: { maxBodyBytes: 20000 }
auth:
  keys:
    - { name: ada, key: fake-key-of-ada-0123456789 }
    - { name: bob, key: fake-key-of-bob-0123456789 }
    - { name: eve, key: fake-key-of-eve-0123456789, tenant: elsewhere, owner: ada }
`,
    { HEDDLE_DATA: data.path },
  );
  const client = (name: string): SiiliClient =>
    siiliClient(gateway.url, { authorization: `Bearer fake-key-of-${name}-0123456789` });
  [ada, bob, eve] = [client("ada"), client("bob"), client("eve")];
});
beforeEach(() => {
  upstream.requests.length = 0;
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
  data.remove();
});

/** Every byte there is: nothing may take it for text. */
const png = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, ...Array.from({ length: 256 }).keys()]);
const picture = (): File => new File([png], "heron.png", { type: "image/png" });
const base64 = Buffer.from(png).toString("base64");

const refused = async (work: Promise<unknown>): Promise<Refused> => {
  const thrown: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof Refused) return thrown;
  throw new Error("it was not refused", { cause: thrown });
};

type Asked = { messages: { role: string; content: unknown }[] };
const asked = (): Asked => JSON.parse(upstream.requests.at(-1)!.body) as Asked;

describe("files", () => {
  test("are stored, read and deleted, byte for byte", async () => {
    const stored = await ada.upload(picture());
    expect(stored).toEqual({
      file_id: expect.stringMatching(/^file_[A-Za-z0-9]{24}$/),
      mime_type: "image/png",
      filename: "heron.png",
      size_bytes: png.length,
    });
    const response = await ada.file(stored.file_id);
    expect(response.headers.get("content-type")).toBe("image/png");
    expect(response.headers.get("content-disposition")).toBe("inline; filename*=UTF-8''heron.png");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(png);
    expect(await ada.deleteFile(stored.file_id)).toEqual({ success: true });
    expect(await refused(ada.file(stored.file_id))).toMatchObject({ status: 404, detail: "No such file." });
    expect((await refused(ada.deleteFile(stored.file_id))).status).toBe(404);
  });

  test("of the same content are two files", async () => {
    const [first, second] = [await ada.upload(picture()), await ada.upload(picture())];
    await ada.deleteFile(first.file_id);
    expect(new Uint8Array(await (await ada.file(second.file_id)).arrayBuffer())).toEqual(png);
  });

  test("are nobody else's: another owner and another tenant find nothing", async () => {
    const { file_id: id } = await ada.upload(picture());
    for (const other of [bob, eve]) {
      expect(await refused(other.file(id))).toMatchObject({ status: 404, detail: "No such file." });
      expect((await refused(other.deleteFile(id))).status).toBe(404);
      const thread = await other.createThread();
      const message = { content: "what is it?", attachments: [{ file_id: id, mime_type: "image/png" }] };
      expect(await refused(other.send(thread.id, message))).toMatchObject({ status: 404, detail: "No such file." });
      expect(await other.messages(thread.id)).toEqual([]);
    }
    expect((await ada.file(id)).status).toBe(200);
    expect(upstream.requests).toEqual([]);
  });

  test("of a kind that could hold scripts are saved, not shown; names are bare", async () => {
    const page = new File(["<script>alert(1)</script>"], "../../über 'x'.html", { type: "text/html" });
    const stored = await ada.upload(page);
    expect(stored.filename).toBe("über 'x'.html");
    const response = await ada.file(stored.file_id);
    expect(response.headers.get("content-disposition")).toBe("attachment; filename*=UTF-8''%C3%BCber%20%27x%27.html");
    expect(response.headers.get("content-security-policy")).toContain("sandbox");
    await response.text();
  });

  test("need a form with a file, and are no larger than a body may be", async () => {
    expect((await refused(ada.call("POST", "/files", { file: "x" }))).status).toBe(415);
    expect(await refused(ada.call("POST", "/files", new FormData()))).toMatchObject({ status: 400 });
    const form = new FormData();
    form.append("other", new File(["x"], "x.txt"));
    expect(await refused(ada.call("POST", "/files", form))).toMatchObject({
      status: 400,
      detail: "file: expected a file in a multipart form",
    });
    expect((await refused(ada.upload(new File(["x".repeat(30_000)], "long.txt")))).status).toBe(413);
  });
});

describe("attachments", () => {
  test("reach the model after the text, and stand in the message", async () => {
    const { file_id: id } = await ada.upload(picture());
    const thread = await ada.createThread();
    const attachments = [{ file_id: id, mime_type: "image/png", filename: "a heron.png" }];
    const events = await ada.stream(thread.id, { content: "what is it?", attachments });
    expect(events[0]).toMatchObject({ event_type: "MessageAdded", data: { attachments } });
    expect(asked().messages).toEqual([
      { role: "system", content: "Be brief." },
      {
        role: "user",
        content: [
          { type: "text", text: "what is it?" },
          { type: "image_url", image_url: { url: `data:image/png;base64,${base64}` } },
        ],
      },
    ]);
    const messages = await ada.messages(thread.id);
    expect(messages).toEqual(storeOf(events));
    expect(messages[0]!.attachments).toEqual(attachments);
    expect(messages[0]!.blocks).toHaveLength(1);

    // The conversation keeps what it was shown.
    await ada.deleteFile(id);
    await ada.stream(thread.id, { content: "and its colour?" });
    expect(JSON.stringify(asked().messages[1])).toContain(base64);
    expect((await ada.messages(thread.id))[0]).toEqual(messages[0]);
  });

  test("may come without a text", async () => {
    const { file_id: id } = await ada.upload(picture());
    const thread = await ada.createThread();
    const sent = await ada.send(thread.id, { content: "", attachments: [{ file_id: id, mime_type: "image/png" }] });
    expect(sent).toMatchObject({ blocks: [], attachments: [{ file_id: id, filename: "heron.png" }] });
  });

  test.each([
    ["text", new File(["Grüße,\nAda"], "note.md", { type: "text/markdown;charset=utf-8" }), "text", "Grüße,\\nAda"],
    ["a document", new File(["%PDF-1.7"], "paper.pdf", { type: "application/pdf" }), "file", "paper.pdf"],
    [
      "a sound",
      new File(["RIFF....WAVE"], "call.wav", { type: "audio/wav" }),
      "input_audio",
      Buffer.from("RIFF....WAVE").toString("base64"),
    ],
  ])("as %s", async (_what, file, type, needle) => {
    const stored = await ada.upload(file);
    const thread = await ada.createThread();
    const attachment = { file_id: stored.file_id, mime_type: stored.mime_type };
    await ada.stream(thread.id, { content: "look", attachments: [attachment] });
    const content = asked().messages.at(-1)!.content as { type: string }[];
    expect(content.map((part) => part.type)).toEqual(["text", type]);
    expect(JSON.stringify(content[1])).toContain(needle);
  });

  test("of no told kind are what the message calls them", async () => {
    const stored = await ada.upload(new File([png], "heron"));
    expect(stored.mime_type).toBe("application/octet-stream");
    const thread = await ada.createThread();
    const attachments = [{ file_id: stored.file_id, mime_type: "image/png" }];
    await ada.stream(thread.id, { content: "look", attachments });
    expect(JSON.stringify(asked().messages.at(-1))).toContain(`data:image/png;base64,${base64}`);
  });

  test("together are no larger than a body may be", async () => {
    const stored = await ada.upload(new File(["x".repeat(15_000)], "long.txt", { type: "text/plain" }));
    const thread = await ada.createThread();
    const attachment = { file_id: stored.file_id, mime_type: "text/plain" };
    const work = ada.send(thread.id, { content: "look", attachments: [attachment, attachment] });
    expect(await refused(work)).toMatchObject({ status: 413 });
    expect(await ada.messages(thread.id)).toEqual([]);
  });
});
