// `@azure/functions-core`: not a package, but what the Functions worker hands to whoever requires that name. With what apps register by it.
import Module from "node:module";
import type { Binding, RegisteredFunction, RpcData, RpcLogLevel } from "./messages.ts";

/** An error of the worker's own, not of the app: the mark is what libraries look for. */
export const systemError = (message: string): Error =>
  Object.assign(new Error(message), { isAzureFunctionsSystemError: true });

type Hook = (context: object) => unknown;

/** What the worker tells a programming model of an invocation. */
export type CoreInvocationContext = {
  invocationId: string;
  request: {
    invocationId: string;
    functionId: string;
    inputData: readonly { name: string; data: RpcData }[];
    triggerMetadata: Readonly<Record<string, RpcData>>;
    traceContext: { traceParent: string; traceState: string; attributes: Record<string, string> };
  };
  metadata: FunctionMetadata;
  state?: "preInvocationHooks" | "postInvocationHooks" | "invocation" | undefined;
  log: (level: RpcLogLevel, category: "user" | "system", message: string) => void;
};

type Callback = (...inputs: unknown[]) => unknown;

/** `@azure/functions` is one: what it makes of an invocation. */
type InvocationModel = {
  getArguments: () => Promise<{ context: object; inputs: unknown[] }>;
  invokeFunction: (context: object, inputs: unknown[], callback: Callback) => Promise<unknown>;
  getResponse: (context: object, result: unknown) => Promise<unknown>;
};

type ProgrammingModel = {
  name: string;
  version: string;
  getInvocationModel: (context: CoreInvocationContext) => InvocationModel | Promise<InvocationModel>;
  getCapabilities?: (capabilities: Record<string, string>) => Promise<Record<string, string>>;
};

type FunctionMetadata = {
  name: string;
  functionId?: string;
  bindings: Record<string, Omit<Binding, "name">>;
};

export type App = {
  model?: ProgrammingModel;
  functions: Map<string, { metadata: FunctionMetadata; callback: Callback }>;
  hooks: Record<"appStart" | "preInvocation" | "postInvocation" | "appTerminate", Hook[]>;
  /** Once it is started nothing more can be registered. */
  locked: boolean;
};

/** What the host is told of them. */
export const registeredIn = (app: App): RegisteredFunction[] =>
  [...app.functions].map(([id, { metadata }]) => ({
    name: metadata.name,
    id,
    bindings: Object.entries(metadata.bindings).map(([name, binding]): Binding => ({
      ...binding,
      type: String(binding["type"]),
      name,
    })),
  }));

export type CoreModuleOptions = {
  hostVersion: () => string;
  log: (level: RpcLogLevel, category: "user" | "system", message: string) => void;
};

/** Makes `require("@azure/functions-core")` work in this process, as the worker does it; gives what is registered there. */
export const installCoreModule = ({ hostVersion, log }: CoreModuleOptions): App => {
  const app: App = {
    functions: new Map(),
    hooks: { appStart: [], preInvocation: [], postInvocation: [], appTerminate: [] },
    locked: false,
  };

  class Disposable {
    #dispose: (() => void) | undefined;
    constructor(dispose: () => void) {
      this.#dispose = dispose;
    }
    static from(...each: { dispose: () => void }[]): Disposable {
      return new Disposable(() => each.forEach((one) => one.dispose()));
    }
    dispose(): void {
      this.#dispose?.();
      this.#dispose = undefined;
    }
  }

  const core = {
    version: "3.12.0",
    get hostVersion() {
      return hostVersion();
    },
    registerHook: (name: string, hook: Hook): Disposable => {
      if (!Object.hasOwn(app.hooks, name))
        throw Object.assign(new RangeError(`Unrecognized hook "${name}"`), { isAzureFunctionsSystemError: true });
      const hooks = app.hooks[name as keyof App["hooks"]];
      hooks.push(hook);
      return new Disposable(() => {
        const index = hooks.indexOf(hook);
        if (index >= 0) hooks.splice(index, 1);
      });
    },
    setProgrammingModel: (model: ProgrammingModel): void => {
      app.model = model;
    },
    getProgrammingModel: (): ProgrammingModel | undefined => app.model,
    log,
    registerFunction: (metadata: FunctionMetadata, callback: Callback): Disposable => {
      if (app.locked) throw systemError("A function can only be registered during app startup.");
      const id = metadata.functionId ?? metadata.name;
      if (app.functions.has(id)) throw systemError(`A function with id "${id}" has already been registered.`);
      app.functions.set(id, { metadata, callback });
      return new Disposable(() => {
        if (app.locked) throw systemError("A function can only be disposed during app startup.");
        app.functions.delete(id);
      });
    },
    Disposable,
  };

  const { prototype } = Module as unknown as { prototype: { require: (this: unknown, id: string) => unknown } };
  const { require: before } = prototype;
  prototype.require = function (id) {
    return id === "@azure/functions-core" ? core : Reflect.apply(before, this, [id]);
  };
  return app;
};
