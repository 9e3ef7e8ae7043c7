// What this wire's own blocks say in plain words, for wires that can't carry them in a history.
import { asArray, asObject, asString, isObject } from "../../model/json.ts";
import type { Json, JsonObject } from "../../model/json.ts";

const joined = (texts: readonly (string | undefined)[]): string | undefined => {
  const said = texts.filter((text) => text !== undefined && text !== "");
  return said.length === 0 ? undefined : said.join("\n");
};

const texts = (content: Json | undefined): (string | undefined)[] =>
  typeof content === "string"
    ? [content]
    : (asArray(content) ?? []).map((block) => (isObject(block) ? asString(block["text"]) : undefined));

const titled = (value: JsonObject, address: string): string | undefined =>
  joined([[asString(value["title"]), asString(value[address])].filter((text) => text !== undefined).join(" - ")]);

/** Undefined where the block says nothing by itself. */
export const textOf = (block: JsonObject): string | undefined => {
  const content = block["content"];
  const inner = asObject(content);
  switch (block["type"]) {
    case "search_result":
      return joined([titled(block, "source"), ...texts(content)]);
    case "web_search_tool_result":
      return joined((asArray(content) ?? []).map((result) => (isObject(result) ? titled(result, "url") : undefined)));
    case "web_fetch_tool_result": {
      const document = asObject(inner?.["content"]);
      const source = asObject(document?.["source"]);
      return joined([
        asString(inner?.["url"]),
        source?.["type"] === "text" ? asString(source["data"]) : asString(document?.["title"]),
      ]);
    }
    case "code_execution_tool_result":
    case "bash_code_execution_tool_result":
      return joined([asString(inner?.["stdout"]), asString(inner?.["stderr"])]);
    case "text_editor_code_execution_tool_result":
      return joined(texts(inner?.["content"]));
    case "mcp_tool_result":
    case "compaction":
      return joined(texts(content));
    default:
      return undefined;
  }
};
