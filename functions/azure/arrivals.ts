// An invocation whose request never comes. The host leaves a caller's own `x-ms-invocation-id` where it stands, so that the library waits for one
// id and is sent another: until the function's time is over, when the host ends the process with all that it does.

/** Of a call by HTTP, the library's own arguments come with its request. */
type Invocation = { getArguments: () => Promise<unknown> };
type CoreContext = { invocationId: string };
type ProgrammingModel = { getInvocationModel?: (context: CoreContext) => Invocation | Promise<Invocation> };

/** What the worker gives to whoever requires `@azure/functions-core`, as far as it is used here. */
export type CoreModule = { getProgrammingModel?: () => ProgrammingModel | undefined };

/** The host sends both at the same time. */
export const arrivalMs = 30_000;

/**
 * Invocations that wait longer than `ms` for their request fail, and are told to `release`, so that the library keeps nothing of them. To be
 * called once, in a worker: elsewhere it does nothing.
 */
export const boundArrivals = (
  core: CoreModule | undefined,
  release: (invocationId: string) => void,
  ms: number = arrivalMs,
): void => {
  const model = core?.getProgrammingModel?.();
  const before = model?.getInvocationModel;
  if (model === undefined || before === undefined) return;

  const inTime = async (id: string, reading: Promise<unknown>): Promise<unknown> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error("No request came for the invocation."));
        release(id);
      }, ms).unref();
    });
    try {
      return await Promise.race([reading, late]);
    } finally {
      clearTimeout(timer);
    }
  };

  model.getInvocationModel = async (context) => {
    const invocation = await before.call(model, context);
    const read = invocation.getArguments.bind(invocation);
    invocation.getArguments = () => inTime(context.invocationId, read());
    return invocation;
  };
};
