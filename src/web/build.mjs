// Builds the two pages into dist/web: for each one script, one style sheet, one HTML file; and what the second page loads
// only when it is asked to. They work from any folder of any server, and opened from a disk (a classic script is allowed there,
// a module is not).
import { fileURLToPath } from "node:url";
import { build } from "vite";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The script is one self-contained function, and runs when the page has been read. */
const classicScript = {
  name: "classic-script",
  enforce: "post",
  transformIndexHtml: (html) =>
    html
      .replace(/<script type="module" crossorigin/g, "<script defer")
      .replace(/<link rel="stylesheet" crossorigin/g, '<link rel="stylesheet"'),
};

const common = { configFile: false, base: "./", logLevel: "warn" };
const resolve = { conditions: ["source", "browser"] };
const output = { outDir: at("../../dist/web"), target: "es2022", modulePreload: false, cssCodeSplit: false };

/** The page `html` of a folder, whose script and style sheet are called `name`. */
const buildPage = (folder, html, name, emptyOutDir) =>
  build({
    ...common,
    root: at(folder),
    resolve,
    plugins: [classicScript],
    build: {
      ...output,
      emptyOutDir,
      rollupOptions: {
        input: at(`${folder}/${html}`),
        output: { format: "iife", entryFileNames: `${name}.js`, assetFileNames: `${name}[extname]` },
      },
    },
  });

/** A script that gives the page one global, `name`. */
const buildPart = (entry, fileName, name, alias, minify) =>
  build({
    ...common,
    root: at("."),
    resolve: { ...resolve, alias },
    build: {
      ...output,
      emptyOutDir: false,
      minify: minify === undefined,
      lib: { entry: at(entry), formats: ["iife"], name, fileName: () => fileName },
      rollupOptions: { output: { minify: minify ?? true } },
    },
  });

await buildPage("./masks", "index.html", "inspector", true);
await buildPage("./speed", "speed.html", "speed", false);
await buildPart("./speed/kernels.ts", "speed-kernels.js", "flamboyanceKernels");
// gpu.js reads the text of its kernels: of ours, white space alone is taken away.
const spaces = { compress: false, mangle: false, codegen: { removeWhitespace: true } };
const alias = { "gpu.js": "gpu.js/dist/gpu-browser.min.js" };
await buildPart("./speed/gpu.ts", "speed-gpu.js", "flamboyanceGpu", alias, spaces);
