// Files that pages name and do not make: a photograph, a checkpoint, the folder of a model. They stand in the folder of the page.
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FlamingoPaLM } from "../../../src/models/flamingo/flamingo-palm.ts";
import { Extractor, ViT } from "../../../src/models/vision/vit.ts";
import { initialize, stateDict } from "../../../src/nn/state-dict.ts";
import { repository } from "../architecture/tree.mjs";
import { torchCheckpoint } from "../fixtures/files/archives.ts";
import { bytesOf, chainOf, END, writeChainFolder } from "../fixtures/folders/chain-folder.ts";
import jpegs from "../fixtures/images/jpeg.json" with { type: "json" };

/** Folders that are made once and copied by `copy NAME PATH`. */
export function makeFolders(folder: string, smollm2: string | null): void {
  mkdirSync(folder, { recursive: true });
  if (smollm2 !== null) symlinkSync(smollm2, join(folder, "smollm2"), "junction");
  writeChainFolder(join(folder, "language-model"), {
    chain: chainOf([[...bytesOf("s w"), END]]),
    config: { max_position_embeddings: 256 }, // guide 36 has demonstrations
  });
}

const photograph = (path: string): void => {
  const [{ jpeg = "" } = {}] = jpegs.images;
  writeFileSync(path, Buffer.from(jpeg, "base64"));
};

const fromRepository = (path: string) => (to: string) => symlinkSync(join(repository, path), to);

/** A file of torch.save with the weights of a training run, of the model that the page makes. */
function trainingCheckpoint(path: string): void {
  const vit = { imageSize: 64, patchSize: 16, numClasses: 10, dim: 64, depth: 2, heads: 4, mlpDim: 128 };
  const sizes = { numTokens: 1000, dim: 64, depth: 4, heads: 4, dimHead: 16 };
  const model = new FlamingoPaLM({ ...sizes, imgEncoder: new Extractor(new ViT(vit)) });
  writeFileSync(path, torchCheckpoint(stateDict(initialize(model, 1))));
}

export interface Fixture {
  readonly page: string;
  readonly path: string;
  readonly make: (path: string) => void;
  /** Whether outputs are those that the page has: the file is what the page says that it is. */
  readonly alters: boolean;
}

export const FIXTURES: readonly Fixture[] = [
  ...["bird", "cat", "dog"].map((name) => ({
    page: "docs/guides/28-captions-and-answers.md",
    path: `${name}.png`,
    make: fromRepository("golden/data/cat-64.png"),
    alters: false,
  })),
  {
    page: "docs/guides/25-checkpoints-and-images.md",
    path: "flamingo.pt",
    make: trainingCheckpoint,
    alters: false,
  },
  { page: "docs/guides/25-checkpoints-and-images.md", path: "cat.jpg", make: photograph, alters: false },
  {
    page: "docs/benchmarks/README.md",
    path: "docs/benchmarks",
    make: (to) =>
      cpSync(join(repository, "docs/benchmarks"), to, {
        recursive: true,
        filter: (path) => !path.includes("node_modules"),
      }),
    alters: false,
  },
];

/** Parts of the repository that pages name as a reader in a clone would. */
const IN_A_CLONE = ["golden", "docs/examples", "dist"];

export function makeFixtures(page: string, folder: string): void {
  mkdirSync(join(folder, "docs"));
  for (const path of IN_A_CLONE) symlinkSync(join(repository, path), join(folder, path), "junction");
  for (const { path, make } of FIXTURES.filter((one) => one.page === page)) make(join(folder, path));
}

/** Links the built package into a folder, as npm would install it. */
export function linkPackage(folder: string): void {
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  symlinkSync(repository, join(folder, "node_modules/flamboyance"), "junction");
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
}
