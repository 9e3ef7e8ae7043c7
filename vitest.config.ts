import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // LangChain leaves one of the two readers of an aborted Google stream to reject unheard.
    onUnhandledError: (error) => error.message !== "[GoogleGenerativeAI Error]: Error reading from the stream",
  },
});
