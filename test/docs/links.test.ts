// Every page's relative links lead to what is there: files, folders, headings; and so do the paths that it names.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = globSync(["*.md", "docs/**/*.md", "examples/**/*.md"], { cwd: root }).toSorted();

const withoutFences = (text: string): string => text.replaceAll(/^(```|~~~)[^\n]*\n[\s\S]*?^\1[^\n]*$/gm, "");
const withoutCode = (text: string): string => withoutFences(text).replaceAll(/`[^`\n]*`/g, "");

/** As GitHub makes them: what is no letter, number, space, hyphen or underscore is left out; the second of a kind is `-1`. */
const anchorsOf = (text: string): Set<string> => {
  const seen = new Map<string, number>();
  const anchors = [...withoutFences(text).matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading = ""]) => {
    const slug = heading
      .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "")
      .replaceAll(" ", "-");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
  return new Set(anchors);
};

const isPage = (path: string): boolean => path.endsWith(".md");

/** What is wrong with a link of the page at `path`; undefined where it leads somewhere, or isn't ours to know. */
const problemOf = (path: string, link: string): string | undefined => {
  if (/^[a-z][a-z+.-]*:/i.test(link)) return undefined;
  const [file = "", anchor] = link.split("#");
  const target = file === "" ? path : resolve(dirname(path), decodeURIComponent(file));
  if (relative(root, target).startsWith("..")) return `${link}: outside of the project`;
  if (!existsSync(target)) return `${link}: no such file`;
  if (anchor === undefined || !isPage(target)) return undefined;
  return anchorsOf(readFileSync(target, "utf8")).has(anchor) ? undefined : `${link}: no such heading`;
};

const linksOf = (text: string): string[] => {
  const bare = withoutCode(text);
  const inline = [...bare.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)];
  const defined = [...bare.matchAll(/^\[[^\]]+\]:\s*<?(\S+?)>?(?:\s.*)?$/gm)];
  return [...inline, ...defined].map(([, link = ""]) => link);
};

/** Paths in code, from the project's root: `lib/…`. Those with gaps (`*`, `…`, `{}`) name none. */
const pathsOf = (text: string): string[] =>
  [
    ...withoutFences(text).matchAll(/`((?:bench|docs|events|examples|functions|infra|lib|scripts|test)\/[\w./-]*)`/g),
  ].map(([, path = ""]) => path);

describe.each(pages)("%s", (page) => {
  const path = join(root, page);
  const text = readFileSync(path, "utf8");

  test("links to what is there", () => {
    expect(linksOf(text).flatMap((link) => problemOf(path, link) ?? [])).toEqual([]);
  });

  test("names files that are there", () => {
    expect(pathsOf(text).filter((each) => !existsSync(join(root, each)))).toEqual([]);
  });
});

test("all pages are looked at, and have links", () => {
  for (const page of ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
    expect(pages).toContain(page);
  expect(pages).toContain("examples/README.md");
  expect(pages.some((page) => page.startsWith("docs/decisions/"))).toBe(true);
  expect(linksOf(readFileSync(join(root, "README.md"), "utf8")).length).toBeGreaterThan(10);
});

describe("a dead link is seen", () => {
  const page = join(root, "docs/clouds.md");
  test.each([
    ["nowhere.md", "nowhere.md: no such file"],
    ["clouds.md#nothing", "clouds.md#nothing: no such heading"],
    ["#nothing", "#nothing: no such heading"],
    ["../../elsewhere.md", "../../elsewhere.md: outside of the project"],
    ["#the-same-on-both", undefined],
    ["../SECURITY.md", undefined],
    ["../lib", undefined],
    ["https://example.com/nowhere#at-all", undefined],
  ])("%s", (link, problem) => {
    expect(problemOf(page, link)).toBe(problem);
  });

  test("wherever it stands, but in code", () => {
    const text =
      '[a](b.md), ![c](d.png "title")\n[e]: f.md\n`[no](link.md)`\n```\n[no](link.md)\n```\n| [g](<h.md#i>) |';
    expect(linksOf(text).toSorted()).toEqual(["b.md", "d.png", "f.md", "h.md#i"]);
  });

  test("headings are named as GitHub names them", () => {
    const text = "# One, `two` & three\n## [Linked](x.md): Ü\n## Again\n## Again\n```sh\n# no heading\n```\n";
    expect([...anchorsOf(text)]).toEqual(["one-two--three", "linked-ü", "again", "again-1"]);
  });
});
