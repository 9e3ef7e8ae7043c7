// POST /v1/responses/compact: a conversation shortened to a summary that stands for it in the next call, on every provider.
import type { Reply } from "../../model/call.ts";
import { GatewayError } from "../../model/error.ts";
import { asArray, asObject, asString, type JsonObject, parseJson } from "../../model/json.ts";
import { seal } from "../../wires/shared/seal.ts";
import { summaryInstructions } from "../../turns/summaries.ts";
import { summaryOrigin } from "../../wires/openai-responses/compaction.ts";
import { checkModel, json, needs, type RouteContext } from "../route.ts";
import { decodeCall, threadsOf, turnCall } from "../turns.ts";
import { askOnce, historyOf } from "./create.ts";
import { loadPrevious, readState, splitRequest } from "./state.ts";

const textOf = (response: JsonObject): string =>
  (asArray(response["output"]) ?? [])
    .flatMap((item) => asArray(asObject(item)?.["content"]) ?? [])
    .map((part) => asString(asObject(part)?.["text"]) ?? "")
    .join("");

export const compactResponse = async (context: RouteContext): Promise<Reply> => {
  const { body, request: decoded } = decodeCall(context, {});
  const state = readState({ previous_response_id: body["previous_response_id"] });
  if (state.previous !== undefined) needs(context, "threads:read");
  checkModel(context, decoded.model);
  const { request, messages } = splitRequest({ ...decoded, stream: false }, body);
  const previous =
    state.previous === undefined
      ? undefined
      : await loadPrevious((await threadsOf(context)).store, turnCall(context).caller, state.previous);
  const history = previous === undefined ? undefined : await historyOf(context, previous, request.model);
  const { maxOutputTokens: _limit, output: _format, toolChoice: _choice, ...rest } = request;
  const reply = await askOnce(context, {
    ...rest,
    tools: [],
    system: [{ type: "text", text: summaryInstructions }, ...(history?.system ?? []), ...request.system],
    messages: [
      ...(history?.messages ?? []),
      ...messages,
      { role: "user", parts: [{ type: "text", text: "Write the summary now." }] },
    ],
  });
  const response = asObject(typeof reply.body === "string" ? parseJson(reply.body) : undefined) ?? {};
  const summary = textOf(response);
  if (summary === "") throw new GatewayError("upstream_error", "The model wrote no summary.");
  const id = (asString(response["id"]) ?? "resp_").replace(/^resp_/, "");
  const compacted = json(200, {
    id: `resp_${id}`,
    object: "response.compaction",
    created_at: response["created_at"] ?? 0,
    output: [
      { type: "compaction", id: `cmp_${id}`, encrypted_content: seal({ origin: summaryOrigin, data: summary }) },
    ],
    usage: response["usage"] ?? null,
  });
  return { ...compacted, headers: { ...reply.headers, ...compacted.headers } };
};
