// The tests of the built page in a real browser. They need Chromium, and say so where there is none.
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: new URL("../../..", import.meta.url).pathname,
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
  test: { include: ["spec/**/*-browser.spec.ts"], testTimeout: 60_000, hookTimeout: 60_000 },
});
