// Builds the page into dist/inspector: one script, one style sheet, one HTML file. They work from any folder of any server,
// and opened from a disk (a classic script is allowed there, a module is not).
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = fileURLToPath(new URL(".", import.meta.url));

/** The script is one self-contained function, and runs when the page has been read. */
const classicScript = {
  name: "classic-script",
  enforce: "post",
  transformIndexHtml: (html) =>
    html
      .replace(/<script type="module" crossorigin/g, "<script defer")
      .replace(/<link rel="stylesheet" crossorigin/g, '<link rel="stylesheet"'),
};

export default defineConfig({
  root: here,
  base: "./",
  logLevel: "warn",
  resolve: { conditions: ["source", "browser"] },
  plugins: [classicScript],
  build: {
    outDir: fileURLToPath(new URL("../../dist/inspector", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    rollupOptions: {
      output: {
        format: "iife",
        entryFileNames: "inspector.js",
        assetFileNames: "inspector[extname]",
      },
    },
  },
});
