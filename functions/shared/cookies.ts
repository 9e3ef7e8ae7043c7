// Cookies where a platform wants each by itself.

/** Several in one text: a comma before `name=` parts two of them, one in a date doesn't. */
export const cookiesOf = (text: string): string[] => text.split(/, *(?=[^\s;,=]+=)/);
