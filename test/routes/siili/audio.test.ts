// Speech and transcription in this API's words, by a scripted upstream and by echo.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { jsonAnswer, startGateway, startUpstream, type TestGateway, type TestUpstream } from "../../support/gateway.ts";
import { Refused, siiliClient, type SiiliClient } from "./client.ts";

let upstream: TestUpstream;
let gateway: TestGateway;
let alone: TestGateway;
let ada: SiiliClient;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(`
providers: { openai: { apiKey: fake-openai-key, baseUrl: "${upstream.url}/v1" } }
siili: { prefix: /api, transcriptionModel: openai/gpt-ears }
`);
  alone = await startGateway();
  ada = siiliClient(gateway.url);
});
beforeEach(() => {
  upstream.requests.length = 0;
});
afterAll(async () => {
  await gateway.stop();
  await alone.stop();
  await upstream.stop();
});

const sound = (): File => new File(["RIFF....WAVE"], "call.webm", { type: "audio/webm" });
const said = (): unknown => JSON.parse(upstream.requests.at(-1)!.body);

test.each(["/audio/speech", "/audio/speech/stream"])("%s speaks", async (path) => {
  upstream.answer((_request, response) => {
    response.writeHead(200, { "content-type": "audio/mpeg" });
    response.end(Buffer.from([0xff, 0xfb, 0, 1, 2]));
  });
  const request = { text: "Good night", voice: "nova", speed: 1.5, format: "mp3", mood: "sleepy" };
  const response = await ada.speech(request, path);
  expect(response.headers.get("content-type")).toBe("audio/mpeg");
  expect([...new Uint8Array(await response.arrayBuffer())]).toEqual([0xff, 0xfb, 0, 1, 2]);
  expect(upstream.requests[0]).toMatchObject({ url: "/v1/audio/speech" });
  const asked = { input: "Good night", voice: "nova", speed: 1.5, response_format: "mp3" };
  expect(said()).toEqual({ model: "tts-1", ...asked });
  await (await ada.speech({ ...request, model: "openai/gpt-mouth" }, path)).arrayBuffer();
  expect(said()).toEqual({ model: "gpt-mouth", ...asked });
});

test("transcribes, by the configured model", async () => {
  upstream.answer(jsonAnswer(200, { text: "Good night.", usage: { type: "duration", seconds: 1 } }));
  expect(await ada.transcribe(sound(), { language: "en", prompt: "a call" })).toEqual({ text: "Good night." });
  const { url, body } = upstream.requests[0]!;
  expect(url).toBe("/v1/audio/transcriptions");
  for (const part of ["gpt-ears", "RIFF....WAVE", 'filename="call.webm"', "a call"]) expect(body).toContain(part);
  const below = siiliClient(`${gateway.url}/api`);
  expect(await below.transcribe(sound(), {})).toEqual({ text: "Good night." });
});

test("without another provider, the model that answers does it", async () => {
  const client = siiliClient(alone.url);
  const response = await client.speech({ text: "hi", voice: "alloy", speed: 1, format: "wav", model: null });
  expect(response.headers.get("content-type")).toBe("audio/wav");
  await response.arrayBuffer();
  expect((await client.transcribe(sound())).text).toContain("call.webm");
});

const refused = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test.each([
  [{}, "text: expected a text"],
  [{ text: "x", voice: 7 }, "voice: expected a text"],
  [{ text: "x", speed: 9 }, "speed: expected a number from 0.25 to 4"],
  [{ text: "x", format: "vinyl" }, "format: expected one of mp3, opus, aac, flac, wav, pcm"],
])("refuses %j", async (request, detail) => {
  expect(await refused(ada.speech(request))).toEqual(new Refused(400, detail));
});

test("a provider's refusal is told in this API's words; a form without a file too", async () => {
  upstream.answer(jsonAnswer(400, { error: { message: "no such voice", type: "invalid_request_error" } }));
  expect(await refused(ada.speech({ text: "x", voice: "bagpipe" }))).toMatchObject({ status: 400 });
  const form = new FormData();
  form.append("language", "en");
  expect(await refused(ada.call("POST", "/audio/transcribe", form))).toEqual(
    new Refused(400, "file: expected a file in a multipart form"),
  );
});
