// Whatever comes in, a request is refused by name or understood, and an answer is read or the provider's failure: nothing else is thrown.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../../lib/model/error.ts";
import type { Json, JsonObject } from "../../../lib/model/json.ts";
import { openaiChat } from "../../../lib/wires/openai-chat/index.ts";
import { contextOf, decode, encode, frames, targetOf } from "./support.ts";

const odd = fc.oneof(
  fc.constantFrom<Json>(null, true, 0, -1, 1.5, "", "x", "text", "function", "constructor", "__proto__"),
  fc.array(fc.constantFrom<Json>(null, "a", {}, [])),
);
const nameList =
  "messages role content type text refusal image_url url input_audio data file file_data tool_calls function " +
  "custom name arguments id index tool_call_id function_call tools functions tool_choice response_format " +
  "json_schema schema stop stream stream_options reasoning reasoning_details thinking extra_content google " +
  "thought_signature choices delta message finish_reason logprobs annotations url_citation audio images usage " +
  "prompt_tokens_details error x_groq parameters metadata";
const names = nameList.split(" ");
const words =
  "user assistant system tool text image_url file input_audio thinking function custom stop json_schema".split(" ");
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    odd,
    fc.constantFrom<Json>(...words),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...names), tie("value"), { maxKeys: 5 }),
  ),
}));
const object = fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 6 }) as fc.Arbitrary<JsonObject>;

/** The error, if there was one. Anything but a GatewayError is the test's failure. */
const errorOf = (run: () => unknown): GatewayError | undefined => {
  try {
    run();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown;
    throw thrown;
  }
};

describe("malformed", () => {
  test("requests", () => {
    fc.assert(
      fc.property(
        object,
        fc.array(object, { maxLength: 4 }),
        fc.constantFrom("user", "assistant", "system", "tool"),
        (body, messages, role) => {
          const said = messages.map((message) => Object.assign({}, message, { role }));
          const error = errorOf(() =>
            openaiChat.encodeRequest(openaiChat.decodeRequest({ ...body, messages: said, model: "m" }, {}), targetOf()),
          );
          expect(["none", "invalid_request"]).toContain(error?.code ?? "none");
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("answers", () => {
    fc.assert(
      fc.property(value, object, (body, choice) => {
        for (const answer of [body, { choices: [choice] }]) {
          const error = errorOf(() =>
            openaiChat.encodeResponse(openaiChat.decodeResponse(answer, targetOf()), contextOf()),
          );
          // The provider is at fault, not the caller.
          expect(error?.details.provider ?? "openai").toBe("openai");
          expect(error?.details.provider === undefined && error !== undefined).toBe(false);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("streams", () => {
    fc.assert(
      fc.property(fc.array(object, { maxLength: 4 }), (deltas) => {
        const events = decode(
          frames(...deltas.map((delta) => ({ id: "c", choices: [{ index: 0, delta }] })), ...deltas),
        );
        expect(["response-end", "error"]).toContain(events.at(-1)?.type);
        expect(encode(events)).toMatch(/\n\n$/);
      }),
      { numRuns: 2000 },
    );
  });

  test("error bodies", () => {
    fc.assert(
      fc.property(value, fc.integer({ min: 400, max: 599 }), (body, status) => {
        const error = openaiChat.decodeError(status, {}, JSON.stringify(body), targetOf());
        expect(openaiChat.encodeError(error, "r").body).toHaveProperty("error.message");
      }),
    );
  });
});
