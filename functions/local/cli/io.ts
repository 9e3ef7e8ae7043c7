// What a command has of the world, and how it fails.

export type Io = {
  env: Readonly<Record<string, string | undefined>>;
  readFile: (path: string) => string | undefined;
  out: (text: string) => void;
  err: (text: string) => void;
};

/** The exit code: 0; 1 where it failed; 2 where it was called wrongly. */
export type Command = (args: readonly string[], io: Io) => Promise<number>;

/** The call was wrong: the message is told with a word on the help, and the exit code is 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** It could not be done. The message is all that is told. */
export class Failure extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Failure";
  }
}
