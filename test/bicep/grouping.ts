// What belongs together in an expression. The grammar gives `.` and `[` less than any operator, so that `a ? b : c.d` comes as `(a ? b : c).d`
// and `a && b.c == d` as `(a && b).c == d`: here they are put right.
import type { Expression } from "./syntax.ts";

/** What follows a name (`.d`, `[0]`) belongs to the last operand, unless there are parentheses. */
export const following = (object: Expression, wrap: (object: Expression) => Expression): Expression => {
  switch (object.kind) {
    case "ternary":
      return { ...object, no: following(object.no, wrap) };
    case "binary":
      return { ...object, right: following(object.right, wrap) };
    case "unary":
      return { ...object, argument: following(object.argument, wrap) };
    case "lambda":
      return { ...object, body: following(object.body, wrap) };
    default:
      return wrap(object);
  }
};

const strengths: readonly (readonly string[])[] = [
  ["??"],
  ["||"],
  ["&&"],
  ["==", "!=", "=~", "!~"],
  ["<", "<=", ">", ">="],
  ["+", "-"],
  ["*", "/", "%"],
];
const strength = (operator: string): number => strengths.findIndex((level) => level.includes(operator));

type Binary = Extract<Expression, { kind: "binary" }>;
type Chain = { operands: Expression[]; operators: string[] };
const flat = (expression: Expression): Chain => {
  if (expression.kind !== "binary") return { operands: [expression], operators: [] };
  const [left, right] = [flat(expression.left), flat(expression.right)];
  return {
    operands: [...left.operands, ...right.operands],
    operators: [...left.operators, expression.operator, ...right.operators],
  };
};

/** By its weakest operator, of equals the rightmost: they go from left to right. */
const grouped = ({ operands, operators }: Chain): Expression => {
  const weakest = Math.min(...operators.map(strength));
  const at = operators.findLastIndex((operator) => strength(operator) === weakest);
  const part = (from: number, to: number): Expression =>
    grouped({ operands: operands.slice(from, to), operators: operators.slice(from, to - 1) });
  const [only] = operands;
  if (at < 0 && only !== undefined) return only;
  return { kind: "binary", operator: operators[at] ?? "", left: part(0, at + 1), right: part(at + 1, operands.length) };
};

/** A chain of operators, by their strength. */
export const regrouped = (expression: Binary): Binary => {
  const found = grouped(flat(expression));
  return found.kind === "binary" ? found : expression;
};
