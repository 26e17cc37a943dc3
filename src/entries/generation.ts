// flamboyance/generation: text from a model, token by token or in beams, and the attention behind it.

export { attentionMaps, attentionWeights } from "../generation/attention-maps.ts";
export { beamSearch } from "../generation/beam-search.ts";
export type { Beam } from "../generation/beams.ts";
export { type Alternative, type Choose, type ChosenToken, greedy } from "../generation/choose.ts";
export { generate, stream } from "../generation/generate.ts";
export type { GenerateOptions } from "../generation/options.ts";
export { type GenerateFlamingoOptions, generateFlamingo } from "../generation/padded/flamingo.ts";
export { prefill } from "../generation/prompts.ts";
export {
  type BeamText,
  type Finish,
  type Piece,
  type TextModel,
  type WriteOptions,
  writeBeams,
  writeText,
} from "../writing/write-text.ts";
