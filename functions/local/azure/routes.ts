// Which function an HTTP request is for: route templates as ASP.NET matches them, and the path that it and its proxy make of a request's.

/** What registered functions can be reached by: `route` is the prefix and the function's own. */
export type Route = { functionName: string; template: string; methods: readonly string[] };

type Part = { literal: string } | { parameter: string; optional: boolean; rest: boolean };

const partsOf = (template: string): Part[] =>
  template
    .split("/")
    .filter((part) => part !== "")
    .map((part) => {
      const [, stars = "", name = "", optional = ""] = /^\{(\*{0,2})([^}:?=]+)[^}?]*(\??)\}$/.exec(part) ?? [];
      return name === ""
        ? { literal: part.toLowerCase() }
        : { parameter: name, optional: optional !== "", rest: stars !== "" };
    });

/** The parameters of a path (decoded, from its first slash on), or undefined where the template is another's. */
export const matchRoute = (template: string, path: string): Record<string, string> | undefined => {
  const segments = path.slice(1).replace(/\/$/, "").split("/");
  if (segments.length === 1 && segments[0] === "") segments.pop();
  const found: Record<string, string> = {};
  let at = 0;
  for (const part of partsOf(template)) {
    if ("literal" in part) {
      if (segments[at]?.toLowerCase() !== part.literal) return undefined;
    } else if (part.rest) {
      // All that is left, with the slash at its end.
      const rest = path.slice(1).split("/").slice(at).join("/");
      if (rest !== "") found[part.parameter] = rest;
      return found;
    } else {
      const segment = segments[at];
      if (segment !== undefined && segment !== "") found[part.parameter] = segment;
      else if (!part.optional) return undefined;
    }
    at += 1;
  }
  return segments.length > at ? undefined : found;
};

/** The most particular first: words before parameters, parameters before what takes all. */
export const byPrecedence = (routes: readonly Route[]): Route[] => {
  const weight = ({ template }: Route): string =>
    partsOf(template)
      .map((part) => ("literal" in part ? "1" : part.rest ? "9" : "5"))
      .join("");
  return routes.toSorted((a, b) => (weight(a) < weight(b) ? -1 : weight(a) > weight(b) ? 1 : 0));
};

/**
 * A request's path as ASP.NET has it: what is percent-encoded is decoded, but for slashes, and dots are followed.
 * Undefined where it takes none such.
 */
export const decodePath = (raw: string): string | undefined => {
  let invalid = false;
  const decoded = raw.replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) =>
    // A slash would become another path: it stays as it was written.
    run
      .split(/(%2f)/i)
      .map((piece) => {
        if (piece === "" || /^%2f$/i.test(piece)) return piece;
        if (/%00/.test(piece)) invalid = true;
        try {
          return decodeURIComponent(piece);
        } catch {
          return piece;
        }
      })
      .join(""),
  );
  if (invalid || !decoded.startsWith("/")) return undefined;
  const out: string[] = [];
  const segments = decoded.slice(1).split("/");
  segments.forEach((segment, index) => {
    const last = index === segments.length - 1;
    if (segment === "..") out.pop();
    if (segment === "." || segment === "..") {
      if (last) out.push("");
    } else out.push(segment);
  });
  return `/${out.join("/")}`;
};

/** The path that the worker is called by: encoded anew, percent signs too. So an encoded slash comes as `%252F`. */
export const encodePath = (path: string): string =>
  path.replaceAll(/[^!$&'()*+,\-./0-9:;=@A-Z_a-z~]+/g, (run) => encodeURIComponent(run.toWellFormed()));
