// Code that stands in a page as a fragment: what surrounds it when it runs, and what is shorter.
import type { Block } from "./blocks.ts";

export interface Scaffold {
  readonly page: string;
  /** Text that occurs in this block of the page and in no other. */
  readonly block: string;
  readonly reason: string;
  readonly before?: string;
  readonly after?: string;
  /** Texts of the block and what runs in their places. */
  readonly shorter?: Readonly<Record<string, string>>;
  /** The block is compiled and does not run: it reads files that cannot be made here. */
  readonly compiled?: true;
}

const TRAINING = "docs/guides/30-training.md";
const CHECKPOINTS = "docs/guides/25-checkpoints-and-images.md";

/** The released classes, at the sizes of the page on checkpoints. vit-pytorch imports torchvision, which it does not need for these. */
const RELEASED = `import sys, types
import torch
import torch.nn.functional as F
torchvision = sys.modules["torchvision"] = types.ModuleType("torchvision")
torchvision.transforms = None
from flamingo_pytorch import FlamingoPaLM
from vit_pytorch.vit import ViT
from vit_pytorch.extractor import Extractor
vit = ViT(image_size=64, patch_size=16, num_classes=10, dim=64, depth=2, heads=4, mlp_dim=128)
sizes = dict(num_tokens=1000, dim=64, depth=4, heads=4, dim_head=16)
model = FlamingoPaLM(**sizes, img_encoder=Extractor(vit, return_embeddings_only=True))`;

const SMALL_KOSMOS = `import { CLIPVisionTransformer, initialize, Kosmos, MagnetoDecoder, tensor } from "flamboyance";
const tokens = { bos: 0, pad: 1, eos: 2, image: 14, imageEnd: 15 };
const clip = new CLIPVisionTransformer({ hiddenSize: 8, intermediateSize: 12, numHiddenLayers: 2, numAttentionHeads: 2, imageSize: 4, patchSize: 2 });
const decoder = new MagnetoDecoder({ vocabSize: 16, width: 8, layers: 2, heads: 2, feedForwardWidth: 12, xpos: true, maxPositions: 80, paddingId: 1 });
const model = initialize(new Kosmos({ clip, decoder, tokens, resampler: { depth: 1, dimHead: 4, heads: 2 } }), 1);
const samplesOf = (n) => [{ segments: [[3, 4], "image", [5, 6 + (n % 3)]] }];
const imagesOf = (n) => tensor("n c h w", [1, 3, 4, 4], Array.from({ length: 48 }, (_, i) => Math.sin(n + i)));
`;

const SMALL_FLAMINGO = `import { Extractor, FlamingoPaLM, initialize, int, tensor, ViT } from "flamboyance";
const vit = new ViT({ imageSize: 4, patchSize: 2, numClasses: 2, dim: 8, depth: 1, heads: 1, mlpDim: 8 });
const sizes = { numTokens: 8, dim: 8, depth: 1, heads: 1, dimHead: 4, perceiverNumLatents: 2 };
const flamingo = initialize(new FlamingoPaLM({ ...sizes, imgEncoder: new Extractor(vit) }), 1);
const images = tensor("b m c h w", [1, 1, 3, 4, 4], Array.from({ length: 48 }, (_, i) => Math.sin(i)));
const batch = () => ({ text: int("b l", [[3, 4]]), images });
`;

export const SCAFFOLDS: readonly Scaffold[] = [
  {
    page: TRAINING,
    block: "kosmosBatch(layouts",
    reason: "the model and the data are the reader's, and 2,000 steps take long: a small Kosmos takes two",
    before: SMALL_KOSMOS,
    shorter: {
      "steps: 2000, learningRate": "steps: 2, learningRate",
      "batch, steps: 2000": "batch, steps: 2",
    },
  },
  {
    page: TRAINING,
    block: "adamw({ groups: decayGroups",
    reason:
      "the model and the data are the reader's, and 1,000 steps take long: a small FlamingoPaLM takes two",
    before: SMALL_FLAMINGO,
    shorter: { "steps: 1000": "steps: 2" },
  },
  {
    page: "docs/guides/14-coming-from-pytorch.md",
    block: "torch.autograd.grad(loss",
    reason: "the model is the reader's: the released class",
    before: `${RELEASED}
text = torch.tensor([[5, 3, 7, 9]])
images = torch.zeros(1, 1, 3, 64, 64)`,
  },
  {
    page: CHECKPOINTS,
    block: "torch.save({",
    reason: "the model is the reader's: one of the same sizes as below, with the released class",
    before: `${RELEASED}
optimizer, step = torch.optim.AdamW(model.parameters()), 3`,
  },
  {
    page: CHECKPOINTS,
    block: "new LanguagePerceiver",
    reason: "the checkpoints of full size must be downloaded",
    compiled: true,
  },
];

export const scaffoldOf = ({ path, text }: Pick<Block, "path" | "text">): Scaffold | undefined =>
  SCAFFOLDS.find((one) => one.page === path && text.includes(one.block));

/** The block as it runs. */
export function scaffolded(block: Pick<Block, "path" | "text">): string {
  const found = scaffoldOf(block);
  if (found === undefined) return block.text;
  const { before = "", after = "", shorter = {} } = found;
  let { text } = block;
  for (const [from, to] of Object.entries(shorter)) {
    if (!text.includes(from)) throw new Error(`${block.path}: the block has no ${JSON.stringify(from)}`);
    text = text.replace(from, to);
  }
  return `${before}\n${text}\n${after}\n`;
}
