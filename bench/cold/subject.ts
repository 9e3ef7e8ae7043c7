// What is started cold, and what of it is measured: the same on each platform.

/** Milliseconds, but for `peak`. */
export type Sample = {
  /** From the start of the process to the first byte of its first answer. */
  cold: number;
  /** Until it takes calls. */
  init: number;
  warm: number[];
  /** MB. */
  peak: number;
};

export type Subject = {
  name: string;
  /** One process, from its start to its end. Throws where a call fails: a failure is quick, and no result. */
  sample: (wrap?: (command: readonly string[]) => readonly string[]) => Promise<Sample>;
};

export const warmCalls = 20;

/** Answered with twenty chunks at once: see upstream.ts. */
export const body = JSON.stringify({
  model: "openai/bench-20-0",
  stream: true,
  messages: [{ role: "user", content: "x".repeat(200) }],
});

export const headers = {
  "content-type": "application/json",
  authorization: "Bearer bench-key-0123456789abcdef",
} as const;
