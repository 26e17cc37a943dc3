// node golden/export/flamingo_3b/ours.mjs FOLDER TOKENS: captions the picture of a folder that make.mjs made, and prints times, memory and ids.
import { join } from "node:path";
import { NAMES, SIZES } from "./make.mjs";

const { loadClip, loadFlamingoCheckpoint, loadPretrained, loadSafetensors, OpenFlamingo, stream } =
  await import("../../../dist/index.js");
const { simd } = await import("../../../dist/entries/simd.js");

const [folder, tokens] = process.argv.slice(2);
const seconds = (from) => (performance.now() - from) / 1000;
const start = performance.now();

const { encoder, width } = loadClip(join(folder, NAMES.vision), {
  act: "quick_gelu",
  imageSize: 224,
  heads: 16,
});
const { model: langEncoder } = await loadPretrained(join(folder, NAMES.language));
const model = new OpenFlamingo({
  visionEncoder: encoder,
  langEncoder,
  eocTokenId: SIZES.eoc,
  mediaTokenId: SIZES.image,
  visDim: width,
  crossAttnEveryNLayers: SIZES.every,
});
const { report } = loadFlamingoCheckpoint(model, join(folder, NAMES.trained));
const opened = seconds(start);

const pixels = loadSafetensors(join(folder, NAMES.image)).tensor("pixels");
const backend = await simd();
const cpu = process.cpuUsage();
const begin = performance.now();
const moments = [];
const ids = [];
for await (const [token] of stream(model.withMedia(pixels), [SIZES.prompt], {
  stop: [],
  maxTokens: Number(tokens),
  backend,
})) {
  ids.push(token.id);
  moments.push(seconds(begin));
}
const total = seconds(begin);
const { user, system } = process.cpuUsage(cpu);
console.log(
  JSON.stringify({
    opened,
    loaded: report.loaded.length,
    first: moments[0],
    each: (total - moments[0]) / (moments.length - 1),
    total,
    cpu: (user + system) / 1e6,
    threads: backend.threads,
    peak: process.resourceUsage().maxRSS / 2 ** 20,
    ids,
  }),
);
await backend.close();
