// All targets by name.
import type { Target } from "../target.ts";
import { adapters, written } from "./adapters.ts";
import { json, safetensors } from "./files.ts";
import { cases, manifests, maskCases, results } from "./golden.ts";
import { kosmosSettings } from "./kosmos.ts";
import { ids, prompts, recorded } from "./masks.ts";
import { commandLines, constructors } from "./options.ts";
import { pickles, pretrained, torch } from "./pickles.ts";
import { jpeg, png } from "./pictures.ts";
import { planted } from "./planted.ts";
import { kosmosTokenizers, sentencepiece, templates, tokenizers } from "./tokenizers.ts";
import { checkpoints, models } from "./training.ts";

export const targets: Readonly<Record<string, Target>> = {
  safetensors,
  json,
  pickles,
  torch,
  pretrained,
  tokenizers,
  sentencepiece,
  "kosmos-tokenizers": kosmosTokenizers,
  "kosmos-settings": kosmosSettings,
  templates,
  manifests,
  cases,
  results,
  "mask-cases": maskCases,
  prompts,
  ids,
  recorded,
  png,
  jpeg,
  checkpoints,
  models,
  adapters,
  "adapter-files": written,
  constructors,
  "command-lines": commandLines,
  ...planted,
};
