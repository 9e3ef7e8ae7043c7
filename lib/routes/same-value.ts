// Whether two values are the same as JSON: the order of an object's members means nothing, and a member that is undefined is none.
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

export const sameValue = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (!isRecord(a) || !isRecord(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const name of names) if (!sameValue(a[name], b[name])) return false;
  return !Array.isArray(a) || !Array.isArray(b) || a.length === b.length;
};
