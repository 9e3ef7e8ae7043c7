// Speech and transcription by the providers' services, in this API's words.
import { parseBody } from "../../chat/read.ts";
import { parseMultipart } from "../../http/multipart.ts";
import type { Reply } from "../../model/call.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import { asNumber, asObject, asString, compact, type JsonObject, parseJson } from "../../model/json.ts";
import { json, type RouteContext } from "../route.ts";
import { bytesPerHeardToken, serve } from "../services.ts";
import { textField } from "./shapes.ts";

const missing = (): GatewayError => new GatewayError("not_implemented", "The provider does not serve this.");

/** The configured model; else the one that everybody means, where a provider has it; else the one that answers messages. */
const defaultModel = ({ services }: RouteContext, configured: string | undefined, usual: string): string => {
  if (configured !== undefined) return configured;
  try {
    services.resolve(usual);
    return usual;
  } catch {
    return services.config.siili.model;
  }
};

const formats = ["mp3", "opus", "aac", "flac", "wav", "pcm"];

const formatOf = (body: JsonObject): string => {
  const format = (textField(body, "format") ?? "mp3").toLowerCase();
  if (!formats.includes(format)) throw invalid("format", `expected one of ${formats.join(", ")}`);
  return format;
};

const speedOf = (body: JsonObject): number => {
  const speed = asNumber(body["speed"] ?? 1);
  if (speed === undefined || speed < 0.25 || speed > 4) throw invalid("speed", "expected a number from 0.25 to 4");
  return speed;
};

export const speech = (context: RouteContext): Promise<Reply> => {
  const body = parseBody(context.call.body);
  const input = textField(body, "text");
  if (input === undefined || input === "") throw invalid("text", "expected a text");
  const asked: JsonObject = {
    input,
    voice: textField(body, "voice") ?? "alloy",
    speed: speedOf(body),
    response_format: formatOf(body),
  };
  const { speechModel } = context.services.config.siili;
  const named = textField(body, "model") ?? defaultModel(context, speechModel, "tts-1");
  const most = (): number => Math.ceil(context.call.body.length / 2);
  return serve(context, "speech", "speech", named, most, async (provider, model) => {
    const call = provider.services.speech;
    if (call === undefined) throw missing();
    const answer = await call({ ...asked, model }, context.invocation.signal);
    return { status: 200, headers: { "content-type": answer.contentType }, body: answer.body };
  });
};

const single = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

export const transcribe = (context: RouteContext): Promise<Reply> => {
  const form = parseMultipart(context.call.body, context.call.headers["content-type"] ?? "");
  const file = form.files.find(({ field }) => field === "file");
  if (file === undefined) throw invalid("file", "expected a file in a multipart form");
  const fields = compact<Record<string, string>>({
    language: single(form.fields["language"]),
    prompt: single(form.fields["prompt"]),
    response_format: "json",
  });
  const { transcriptionModel } = context.services.config.siili;
  const named = single(form.fields["model"]) ?? defaultModel(context, transcriptionModel, "whisper-1");
  const most = (): number => Math.ceil(file.bytes.length / bytesPerHeardToken);
  return serve(context, "transcriptions", "transcribe", named, most, async (provider, model) => {
    const call = provider.services.transcribe;
    if (call === undefined) throw missing();
    const answer = await call(
      {
        task: "transcriptions",
        file: { name: file.name, type: file.type, bytes: file.bytes },
        fields: { ...fields, model },
      },
      context.invocation.signal,
    );
    // Some hosts answer with the bare text whatever they are asked for.
    const text = asString(asObject(parseJson(answer.body))?.["text"]) ?? answer.body;
    return json(200, { text });
  });
};
