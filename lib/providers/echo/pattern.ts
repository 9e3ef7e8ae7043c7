// A text that fits a regular expression: what a JSON schema's `pattern` asks for. Look-around and back references are read past: what they
// would have refused is not found.

/** Texts of a piece, by how often its repeats go beyond their least. */
type Piece = (extra: number) => string;

type Reader = { text: string; at: number };

/** Characters that a class may choose from, the plainest first. */
const plain = [
  ..."aA10_- .,:;/@#".split(""),
  ...Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at)),
  "\t",
  "\n",
  "é",
];

const classes: Readonly<Record<string, RegExp>> = {
  d: /\d/,
  D: /\D/,
  w: /\w/,
  W: /\W/,
  s: /\s/,
  S: /\S/,
};
const controls: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", f: "\f", v: "\v", 0: "\0" };

const first = (fits: (letter: string) => boolean): Piece => {
  const letter = plain.find(fits) ?? "";
  return () => letter;
};

/** After a `\`: a letter, or a class of them. */
const readEscape = (reader: Reader): Piece => {
  const letter = reader.text[reader.at] ?? "";
  reader.at += 1;
  const named = classes[letter];
  if (named !== undefined) return first((each) => named.test(each));
  if (letter === "b" || letter === "B") return () => "";
  const rest = reader.text.slice(reader.at);
  const property = /^\{[^}]*\}/.exec(rest)?.[0];
  if ((letter === "p" || letter === "P") && property !== undefined) {
    reader.at += property.length;
    const fits = new RegExp(`\\${letter}${property}`, "u");
    return first((each) => fits.test(each));
  }
  const code =
    letter === "x"
      ? /^([0-9a-fA-F]{2})/.exec(rest)
      : letter === "u"
        ? /^(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{4}))/.exec(rest)
        : null;
  if (code !== null) {
    reader.at += code[0].length;
    return () => String.fromCodePoint(Number.parseInt(code[1] ?? code[2] ?? "0", 16));
  }
  return () => controls[letter] ?? letter;
};

/** `[…]`: the engine itself says what is in it. */
const readClass = (reader: Reader): Piece => {
  const source = /^\[\^?(?:\\.|[^\]\\])*\]/s.exec(reader.text.slice(reader.at))?.[0] ?? "[";
  reader.at += source.length;
  const fits = new RegExp(`^${source}$`, source.includes("\\p") || source.includes("\\u{") ? "u" : "");
  // Beyond the plain ones: the class's own letters.
  const letter = [...plain, ...Array.from(source)].find((each) => fits.test(each)) ?? "";
  return () => letter;
};

const readGroup = (reader: Reader): Piece => {
  const [opening = "(", look] = /^\((?:\?(?:(<?[=!])|:|<[^>]*>))?/.exec(reader.text.slice(reader.at)) ?? [];
  reader.at += opening.length;
  const inner = readAlternatives(reader);
  // Its closing bracket.
  reader.at += 1;
  return look === undefined ? inner : () => "";
};

const readOne = (reader: Reader): Piece => {
  const letter = reader.text[reader.at] ?? "";
  if (letter === "(") return readGroup(reader);
  if (letter === "[") return readClass(reader);
  reader.at += 1;
  if (letter === "\\") return readEscape(reader);
  if (letter === "^" || letter === "$") return () => "";
  return () => (letter === "." ? "a" : letter);
};

const repeats: Readonly<Record<string, readonly [number, number]>> = {
  "*": [0, Infinity],
  "+": [1, Infinity],
  "?": [0, 1],
};

const repeated = (piece: Piece, reader: Reader): Piece => {
  const [all, sign, least = "", comma, most = ""] =
    /^(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/.exec(reader.text.slice(reader.at)) ?? [];
  if (all === undefined) return piece;
  reader.at += all.length;
  const [min, max] = (sign === undefined ? undefined : repeats[sign]) ?? [
    Number(least),
    comma === undefined ? Number(least) : most === "" ? Infinity : Number(most),
  ];
  return (extra) => {
    const text = piece(extra);
    return text.repeat(Math.min(max, min + extra, Math.ceil(maxLength / Math.max(1, text.length))));
  };
};

const readAlternatives = (reader: Reader): Piece => {
  const pieces: Piece[] = [];
  while (reader.at < reader.text.length && !/[|)]/.test(reader.text[reader.at] ?? ""))
    pieces.push(repeated(readOne(reader), reader));
  // The first alternative is taken; the others are read past.
  while (reader.text[reader.at] === "|") {
    reader.at += 1;
    readAlternatives(reader);
  }
  return (extra) => pieces.reduce((text, piece) => (text.length > maxLength ? text : text + piece(extra)), "");
};

const maxLength = 10_000;

const compile = (pattern: string): RegExp => {
  try {
    return new RegExp(pattern, "u");
  } catch {
    // Written for the older mode, or for another engine; the latter throws here.
    return new RegExp(pattern);
  }
};

/** What was read past may refuse a text, and an engine takes long to say so of a long one. */
const isReadPast = (pattern: string): boolean => /\(\?<?[=!]|\\[1-9k]/.test(pattern);

const search = (pattern: string, minLength: number, most: number): string | undefined => {
  const compiled = compile(pattern);
  const piece = readAlternatives({ text: pattern, at: 0 });
  const fits = (text: string): boolean => {
    const { length } = Array.from(text);
    return length >= minLength && length <= Math.min(most, maxLength) && compiled.test(text);
  };
  const text = piece(0);
  // Where the pattern leaves an end open, more may stand there.
  const short = [text, text.padEnd(minLength, "o"), text.padStart(minLength, "o")];
  const extras = isReadPast(pattern) ? [1] : [1, 2, 3, 5, 8, minLength];
  return short.find(fits) ?? extras.map(piece).find(fits);
};

/** Undefined where none was found: the pattern is of another engine, or asks for more than this can do. */
export const textOfPattern = (pattern: string, minLength: number, most: number): string | undefined => {
  if (pattern.length > 1_000) return undefined;
  try {
    return search(pattern, minLength, most);
  } catch {
    return undefined;
  }
};
