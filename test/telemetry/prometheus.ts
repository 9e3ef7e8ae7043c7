// A strict reader of Prometheus text (format 0.0.4): what it does not know is an error, as it is to a scraper.
type Sample = { name: string; labels: Record<string, string>; value: number };
export type Family = { type: string; help: string; samples: Sample[] };

/** The same text for the same labels. */
const keyOf = (labels: Record<string, string>): string =>
  JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));

const nameForm = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

const fail = (line: string, why: string): never => {
  throw new Error(`${why}: ${line}`);
};

/** `a="x",b="y"` with the three escapes that there are. */
const labelsOf = (text: string, line: string): Record<string, string> => {
  const labels: Record<string, string> = {};
  const one = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/y;
  for (let at = 0; at < text.length; at = one.lastIndex) {
    one.lastIndex = at;
    const [, name = "", value = ""] = one.exec(text) ?? fail(line, "labels that can't be read");
    if (Object.hasOwn(labels, name)) fail(line, "a label twice");
    labels[name] = value.replaceAll(/\\(.)/g, (_all, letter: string) => (letter === "n" ? "\n" : letter));
  }
  return labels;
};

const numberOf = (text: string, line: string): number => {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  if (!/^-?(?:\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?$/.test(text)) fail(line, "a value that is none");
  return Number(text);
};

const suffixes: Record<string, readonly string[]> = {
  counter: [""],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count"],
};

/** Throws where the text breaks a rule: order, types, names, escapes, a sample twice, a family twice. */
export const parseMetrics = (text: string): Map<string, Family> => {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: { name: string; family: Family } | undefined;
  for (const line of text.split("\n").slice(0, -1)) {
    const [, keyword, about = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === "HELP") {
      if (!nameForm.test(about) || families.has(about)) fail(line, "a family twice, or of no name");
      if (rest === "") fail(line, "help that says nothing");
      current = { name: about, family: { type: "", help: rest, samples: [] } };
      families.set(about, current.family);
    } else if (keyword === "TYPE") {
      if (current?.name !== about || current.family.type !== "") fail(line, "a type that stands alone");
      else if (suffixes[rest] === undefined) fail(line, "an unknown type");
      else current.family.type = rest;
    } else {
      const [, name = "", labels = "", value = ""] =
        /^([^\s{]+)\{(.*)\} (\S+)$/.exec(line) ?? fail(line, "not a sample");
      const { family } = current ?? fail(line, "a sample before its family");
      if (!(suffixes[family.type] ?? []).some((suffix) => name === `${current?.name}${suffix}`))
        fail(line, "a sample of another family");
      const sample = { name, labels: labelsOf(labels, line), value: numberOf(value, line) };
      const key = name + keyOf(sample.labels);
      if (seen.has(key)) fail(line, "a sample twice");
      seen.add(key);
      if (family.type !== "gauge" && sample.value < 0) fail(line, "less than nothing");
      family.samples.push(sample);
    }
  }
  for (const [name, family] of families) if (family.type === "histogram") checkHistogram(name, family);
  return families;
};

/** Buckets rise in bound and in count, end with +Inf, and that is the count. */
const checkHistogram = (name: string, { samples }: Family): void => {
  const series = new Map<string, Sample[]>();
  for (const sample of samples) {
    const { le: _le, ...rest } = sample.labels;
    const key = keyOf(rest);
    series.set(key, [...(series.get(key) ?? []), sample]);
  }
  for (const [key, all] of series) {
    const buckets = all.filter((each) => each.name === `${name}_bucket`);
    const bounds = buckets.map((each) => numberOf(each.labels["le"] ?? "", key));
    buckets.forEach(({ value }, at) => {
      if (at > 0 && (bounds[at]! <= bounds[at - 1]! || value < buckets[at - 1]!.value)) fail(key, "buckets that fall");
    });
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) fail(key, "no +Inf");
    const count = all.find((each) => each.name === `${name}_count`)?.value;
    if (buckets.at(-1)?.value !== count) fail(key, "a count that is not the last bucket's");
    if (!all.some((each) => each.name === `${name}_sum`)) fail(key, "no sum");
  }
};

/** The value of the one sample with these labels among others; 0 where there is none. */
export const valueOf = (families: Map<string, Family>, name: string, labels: Record<string, string> = {}): number => {
  const family = families.get(name) ?? families.get(name.replace(/_(?:bucket|sum|count)$/, ""));
  if (family === undefined) throw new Error(`no family ${name}`);
  const found = family.samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
  return found.reduce((sum, { value }) => sum + value, 0);
};
