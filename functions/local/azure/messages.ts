// What host and worker say to each other: the part of the Functions host's RPC that these two use, over Node's own channel between processes.

/** A value as RPC carries it: one of these. Bytes never go this way: HTTP has a connection of its own. */
export type RpcData = { string?: string; json?: string; http?: Record<string, never> };

export type RpcLogLevel = "trace" | "debug" | "information" | "warning" | "error" | "critical" | "none";

/** A binding as it was registered: `type`, `direction`, `name` and what else its type has (`route`, `methods`, `queueName`, `schedule`, …). */
export type Binding = Readonly<Record<string, unknown>> & { type: string; name: string };

export type RegisteredFunction = { name: string; id: string; bindings: readonly Binding[] };

export type RpcError = { message: string; stack?: string };

export type ToWorker =
  | { type: "init"; appFolder: string; hostVersion: string }
  | {
      type: "invoke";
      id: string;
      functionId: string;
      inputs: readonly { name: string; data: RpcData }[];
      metadata: Readonly<Record<string, RpcData>>;
      traceParent: string;
    }
  | { type: "terminate" };

export type ToHost =
  | { type: "ready"; capabilities: Readonly<Record<string, string>>; functions: readonly RegisteredFunction[] }
  | { type: "unable"; error: RpcError }
  | { type: "done"; id: string; error?: RpcError }
  | {
      type: "log";
      level: RpcLogLevel;
      category: "user" | "system";
      message: string;
      /** The invocation that it belongs to. */
      id?: string;
    };
