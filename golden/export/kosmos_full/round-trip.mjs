// State dicts of a Kosmos go to kosmosx 0.3.1 in PyTorch, which loads them strictly, and come back bit for bit.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { interpreter } from "../environments.mjs";
import { run } from "../full_size/processes.mjs";
import { ROOT } from "../sources.mjs";
import { build, fill, write } from "./make.mjs";

const { CLIPVisionTransformer, Kosmos, loadStateDict, MagnetoDecoder, stateDict } = await import(
  "../../../dist/index.js"
);
const { loadSafetensors, loadTorch } = await import("../../../dist/entries/io.js");
const { sourceOf } = await import("../../../dist/tensor/tensor.js");

/** A model of a few thousand parameters; round_trip.py has the same sizes. */
const small = ({ multiway }) =>
  new Kosmos({
    clip: new CLIPVisionTransformer({
      hiddenSize: 16,
      intermediateSize: 24,
      numHiddenLayers: 2,
      numAttentionHeads: 2,
      imageSize: 8,
      patchSize: 4,
      hiddenAct: "gelu",
    }),
    decoder: new MagnetoDecoder({
      vocabSize: 31,
      width: 24,
      layers: 2,
      heads: 3,
      feedForwardWidth: 40,
      xpos: true,
      multiway,
      maxPositions: 18,
      paddingId: 1,
    }),
    tokens: { bos: 0, pad: 1, eos: 2, image: 29, imageEnd: 30 },
    resampler: { depth: 2, dimHead: 4, heads: 2, numLatents: 3, numMediaEmbeds: 5 },
  });

/** The formats that PyTorch writes; the full size is written in the first only. */
const FORMATS = { "theirs.safetensors": loadSafetensors, "theirs.pt": loadTorch };

const PART = 2 ** 22;

/** Whether two tensors have the same bits of float32. */
function sameBits(a, b) {
  const [first, second] = [sourceOf(a.stored), sourceOf(b.stored)];
  for (let from = 0; from < a.size; from += PART) {
    const to = Math.min(a.size, from + PART);
    const [x, y] = [first, second].map(
      (source) => new Int32Array(Float32Array.from(source.read(from, to)).buffer),
    );
    if (x.some((word, i) => word !== y[i])) return false;
  }
  return true;
}

/** Sentences on what is wrong with one model's state dict, there and back. */
function* problems(name, make, settings, python) {
  const folder = mkdtempSync(join(tmpdir(), "flamboyance-kosmos-"));
  try {
    const path = join(folder, "ours.safetensors");
    const sent = fill(make(settings), "float32");
    write(path, sent);
    const size = make === small ? "small" : "full";
    const words = ["-W", "ignore", "-m", "golden.export.kosmos_full.round_trip", path, folder, size];
    const { keys, parameters } = run(name, python, [...words, String(settings.multiway)]);
    if (keys !== sent.size) yield `${name}: PyTorch has ${keys} keys, and ${sent.size} are written`;
    for (const [file, open] of make === small ? Object.entries(FORMATS) : [Object.entries(FORMATS)[0]]) {
      const model = make(settings);
      loadStateDict(model, open(join(folder, file)));
      const back = stateDict(model);
      const different = [...sent].filter(([key, t]) => !sameBits(t, back.get(key)));
      console.log(
        `${name}, ${file}: ${sent.size} tensors, ${parameters} parameters, ${different.length} of them different`,
      );
      for (const [key] of different) yield `${name}, ${file}: ${key} comes back different`;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Sentences on what is wrong, for models of the sizes "small" or "all". */
export function roundTrips(sizes) {
  const python = interpreter(join(ROOT, "golden/export/kosmosx"), { reuse: true });
  return (sizes === "small" ? [small] : [small, build]).flatMap((make) =>
    [false, true].flatMap((multiway) => {
      const name = `${make === small ? "small" : "full size"}${multiway ? ", multiway" : ""}`;
      return [...problems(name, make, { multiway }, python)];
    }),
  );
}
