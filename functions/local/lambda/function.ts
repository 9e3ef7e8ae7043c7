// A function: as many instances as there are invocations at once, each kept for the next one, as Lambda does it.
import { type FunctionOptions, type Instance, type Outcome, type Receiver, startInstance } from "./instance.ts";

export type LocalFunction = {
  /** On an idle instance, or on a new one. Never rejects for what the function does. */
  invoke: (event: unknown, receiver?: Receiver) => Promise<Outcome>;
  stop: () => Promise<void>;
};

/** `cold`: a new process for each invocation, ended with it. */
export const createFunction = (options: FunctionOptions & { cold?: boolean }): LocalFunction => {
  const idle: Instance[] = [];
  const all = new Set<Instance>();

  const retire = async (instance: Instance): Promise<void> => {
    all.delete(instance);
    await instance.stop();
  };

  return {
    invoke: async (event, receiver) => {
      let instance = idle.pop();
      if (instance === undefined) {
        instance = await startInstance(options);
        all.add(instance);
      }
      const outcome = await instance.invoke(event, receiver);
      if (options.cold === true || !instance.alive()) await retire(instance);
      else idle.push(instance);
      return outcome;
    },
    stop: async () => {
      idle.length = 0;
      await Promise.all([...all].map(retire));
    },
  };
};
