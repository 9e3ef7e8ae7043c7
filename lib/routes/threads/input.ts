// New messages as callers write them.
import { invalid } from "../../model/error.ts";
import { compact, type Json } from "../../model/json.ts";
import type { NewMessage } from "../../threads/message-items.ts";
import { decodeContent } from "./parts.ts";
import { type Fields, fieldsOf } from "./fields.ts";

export const messageFields = ["role", "content", "parts", "client_id", "metadata"] as const;
const roles = ["user", "assistant", "system"] as const;

export const newMessage = (fields: Fields): NewMessage => {
  const role = fields.oneOf("role", roles);
  if (role === undefined) throw invalid(fields.at("role"), `expected one of ${roles.join(", ")}`);
  return compact<NewMessage>({
    message: { role, parts: decodeContent(fields, role) },
    clientId: fields.text("client_id", { min: 1, max: 128 }),
    metadata: fields.pairs("metadata"),
  });
};

const decode = ({ value, path }: { value: Json; path: string }): NewMessage =>
  newMessage(fieldsOf(value, path, messageFields));

/** Undefined where the field is not there. */
export const newMessages = (fields: Fields, name: string): NewMessage[] | undefined =>
  fields.list(name, { max: 1000 })?.map(decode);

/** A message's id, null for none (a new root), undefined where nothing is said. */
export const parentOf = (fields: Fields): string | null | undefined =>
  fields.given("parent_id") === null ? null : fields.text("parent_id", { min: 1, max: 256 });
