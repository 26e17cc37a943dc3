// Builds the pages into dist/web: a script, a style sheet and an HTML file for each, and the scripts that the speed page loads on demand.
// The pages work from any folder of a static server and from a disk, where browsers allow classic scripts but not modules.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

const head = readFileSync(at("./shared/head.html"), "utf8").trim();

/** Inserts the shared head. `workers`: the source of worker scripts that the page's policy allows. */
const sharedHead = (workers) => ({
  name: "shared-head",
  transformIndexHtml: {
    order: "pre",
    handler: (html) => html.replace("{{head}}", head.replace("{{workers}}", workers)),
  },
});

/** Loads the script as a classic one, which runs when the page has been parsed. */
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

/** Builds the page `html` of a folder. Its script and style sheet are called `name`. */
const buildPage = (folder, html, name, { workers, emptyOutDir }) =>
  build({
    ...common,
    root: at(folder),
    resolve,
    plugins: [sharedHead(workers), classicScript],
    build: {
      ...output,
      emptyOutDir,
      rollupOptions: {
        input: at(`${folder}/${html}`),
        output: { format: "iife", entryFileNames: `${name}.js`, assetFileNames: `${name}[extname]` },
      },
    },
  });

/** Builds a script that defines one global, `name`. */
const buildScript = (entry, fileName, name, alias, minify) =>
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

await buildPage("./masks", "index.html", "inspector", { workers: "'none'", emptyOutDir: true });
await buildPage("./speed", "speed.html", "speed", { workers: "blob:", emptyOutDir: false });
await buildScript("./speed/kernels.ts", "speed-kernels.js", "flamboyanceKernels");
// gpu.js compiles the source text of kernels, so only white space is removed from it.
const whitespaceOnly = { compress: false, mangle: false, codegen: { removeWhitespace: true } };
const alias = { "gpu.js": "gpu.js/dist/gpu-browser.min.js" };
await buildScript("./speed/gpu.ts", "speed-gpu.js", "flamboyanceGpu", alias, whitespaceOnly);
