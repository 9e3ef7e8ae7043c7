// Writes of one process to one partition wait for each other beyond a few: a crowd of conditional writes on one item gets in its own way,
// and who waited may learn meanwhile that there is no room left.

export type Lanes = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** At most `width` at once under a name; the others in the order they came. */
export const createLanes = (width: number): Lanes => {
  const lanes = new Map<string, { running: number; waiting: (() => void)[] }>();
  return async (name, work) => {
    const lane = lanes.get(name) ?? { running: 0, waiting: [] };
    lanes.set(name, lane);
    // Whoever ends hands its place on.
    if (lane.running >= width) await new Promise<void>((resolve) => lane.waiting.push(resolve));
    else lane.running += 1;
    try {
      return await work();
    } finally {
      const next = lane.waiting.shift();
      if (next !== undefined) next();
      else {
        lane.running -= 1;
        if (lane.running === 0) lanes.delete(name);
      }
    }
  };
};
