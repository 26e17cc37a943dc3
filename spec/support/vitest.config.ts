import { defineConfig } from "vitest/config";

export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
  test: {
    include: ["spec/**/*.spec.ts"],
    exclude: ["spec/**/*-browser.spec.ts"], // needs a browser: npm run test:browser
    setupFiles: ["spec/support/setup.ts"],
    testTimeout: 60_000,
    coverage: { provider: "v8", include: ["src/**"] },
  },
});
