import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Most tests wait for sockets and timers: a worker more than there are cores fills their pauses.
    maxWorkers: availableParallelism() + 1,
    // Said, not left to the default, so that the run's last lines are its summary and no advice about this.
    isolate: true,
    experimental: { diagnostics: false },
    maxConcurrency: 24,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // LangChain leaves one of the two readers of an aborted Google stream to reject unheard.
    onUnhandledError: (error) => error.message !== "[GoogleGenerativeAI Error]: Error reading from the stream",
  },
});
