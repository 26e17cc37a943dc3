// Configuration of the tests that run in Chromium; without Chromium they fail with a message that says so.
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: new URL("../../..", import.meta.url).pathname,
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
  test: { include: ["spec/**/*-browser.spec.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
});
