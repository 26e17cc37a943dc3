// The two tokenizers of Kosmos: T5's vocabulary, which kosmosx and KOSMOS_reimplementation read, and that of KOSMOS-1 in unilm.
import { kindOf } from "#host";
import { Bug, LoadError, RuleError } from "../../../tensor/errors.ts";
import { checkGiven, checkMember } from "../../../tensor/given.ts";
import { quoted, utf8 } from "../../wording.ts";
import { readBytes } from "../folder.ts";
import { loadTokenizer } from "../load.ts";
import type { Pipeline } from "../pipeline.ts";
import { type FoundModel, findModel, MODEL_FILES } from "../sentencepiece/folder.ts";
import { Tokenizer } from "../tokenizer.ts";
import { fairseqPipeline, readDictionary } from "./fairseq.ts";
import { IMAGE_TOKENS, T5_PIECES, t5Pipeline } from "./t5.ts";

/** Which ids a vocabulary gives its special tokens: "t5", as in KOSMOS_reimplementation, or "kosmos", as in fairseq. */
export type KosmosPreset = "t5" | "kosmos";

/** The first pieces of a model by preset. A model begins with those of one of them. */
const FIRST_PIECES: Readonly<Record<KosmosPreset, readonly string[]>> = {
  t5: T5_PIECES,
  kosmos: ["<unk>", "<s>", "</s>"],
};

const PRESETS = Object.entries(FIRST_PIECES) as [KosmosPreset, readonly string[]][];

/** The preset, where the folder could have either. */
export interface LoadKosmosTokenizerOptions {
  /** The vocabulary that the folder is to have. Default: the one that its first pieces are those of. */
  readonly preset?: KosmosPreset | undefined;
}

/** A tokenizer and the ids that a Kosmos needs; `tokens` is what `kosmosLayout` and `Kosmos` take. */
export interface KosmosTokenizer {
  readonly preset: KosmosPreset;
  readonly tokenizer: Tokenizer;
  /** Whether `</s>` is added to a text that ends with it. */
  readonly repeatsEnd: boolean;
  readonly tokens: {
    /** null for T5's vocabulary, which has no `<s>`. */
    readonly bos: number | null;
    readonly pad: number;
    readonly eos: number;
    readonly image: number;
    readonly imageEnd: number;
  };
}

const NAMES = { bos: "<s>", pad: "<pad>", eos: "</s>", unk: "<unk>" } as const;

function tokenizerOf(pipeline: Pipeline, name: string, preset: KosmosPreset): KosmosTokenizer {
  const named = Object.entries(NAMES).filter(([key]) => preset === "kosmos" || key !== "bos");
  const specialTokens = new Map(named.map(([key, token]) => [`${key}_token`, token]));
  const settings = { name, specialTokens, templates: new Map(), render: null, cleanUp: false };
  return withIds(new Tokenizer(pipeline, settings), { name, preset, repeatsEnd: preset === "kosmos" });
}

function withIds(
  tokenizer: Tokenizer,
  { name, preset, repeatsEnd }: { name: string; preset: KosmosPreset; repeatsEnd: boolean },
): KosmosTokenizer {
  const id = (token: string): number => {
    const found = tokenizer.tokenToId(token);
    if (found !== null) return found;
    throw new Bug(`${name}: a preset has the token ${token}`);
  };
  const [image, imageEnd] = IMAGE_TOKENS.map(id);
  const bos = preset === "kosmos" ? id(NAMES.bos) : null;
  const tokens = { bos, pad: id(NAMES.pad), eos: id(NAMES.eos), image: image ?? 0, imageEnd: imageEnd ?? 0 };
  return { preset, tokenizer, repeatsEnd, tokens };
}

const firstPieces = ({ model }: FoundModel): string[] => model.pieces.slice(0, 3).map(({ text }) => text);

/** The preset whose first pieces a unigram model has, or null. */
function presetOf(found: FoundModel): KosmosPreset | null {
  const first = firstPieces(found);
  const match = PRESETS.find(([, pieces]) => pieces.every((piece, i) => first[i] === piece))?.[0];
  return found.model.kind === "unigram" ? (match ?? null) : null;
}

/** The error of a model that has another preset than the one that is wanted, or none. [tokenizer.kosmos-presets] */
function otherPreset(found: FoundModel, wanted: KosmosPreset | undefined): LoadError {
  const described = PRESETS.map(([name, pieces]) => `${name} with ${pieces.join(" ")}`).join(", ");
  return new LoadError(
    `${found.path}: this ${found.model.kind} model begins with ${firstPieces(found).map(quoted).join(" ")}; a tokenizer of Kosmos is a unigram model that begins, as the preset ${described}${wanted === undefined ? "" : `, and ${wanted} is wanted`}  [tokenizer.kosmos-presets]`,
  );
}

/** dict.txt of fairseq, or null where there is none. */
function dictionaryOf(folder: string): string[] | null {
  const path = `${folder}/dict.txt`;
  const bytes = readBytes(path);
  if (bytes === null) return null;
  const text = utf8(bytes);
  if (text === null)
    throw new LoadError(`${path} is not valid UTF-8; write the file again  [tokenizer.fairseq-dictionary]`);
  return readDictionary(text, path);
}

/**
 * A warning where the row of the embedding that stays zero and is not trained is not that of `<pad>`, or null. In the published models it is
 * row 1, which is `<pad>` in fairseq's order of ids and `</s>` in T5's vocabulary. [tokenizer.kosmos-padding]
 */
export function paddingWarning(loaded: KosmosTokenizer, paddingId: number | null): string | null {
  checkMember("paddingWarning", { loaded }, "tokens", "a tokenizer, as loadKosmosTokenizer returns it");
  const { tokenizer, tokens } = loaded;
  if (paddingId === null || paddingId === tokens.pad) return null;
  const token = tokenizer.idToToken(paddingId);
  return `paddingId is ${paddingId}, the id of ${token === null ? "no token" : quoted(token)}, whose embedding stays zero and is not trained, while that of <pad> is: for a new model give the id of <pad>, ${tokens.pad}`;
}

function checkPreset(preset: unknown): void {
  if (preset === undefined || (typeof preset === "string" && Object.hasOwn(FIRST_PIECES, preset))) return;
  throw new RuleError('a preset of a tokenizer of Kosmos is "t5" or "kosmos"', "tokenizer.kosmos-presets");
}

function ofModel(found: FoundModel, preset: KosmosPreset, folder: string): KosmosTokenizer {
  const pipeline = preset === "t5" ? t5Pipeline(found) : fairseqPipeline(found, dictionaryOf(folder));
  return tokenizerOf(pipeline, folder, preset);
}

/** The tokenizer of a folder with a SentencePiece model of one of the presets, or null. Throws a LoadError for a file with a problem. */
export function findKosmosTokenizer(folder: string): KosmosTokenizer | null {
  const found = findModel(folder);
  const preset = found && presetOf(found);
  return found && preset && ofModel(found, preset, folder);
}

/**
 * Reads a tokenizer of Kosmos from a folder: a SentencePiece model (spiece.model, sentencepiece.bpe.model, tokenizer.model or
 * pieces.json), with dict.txt beside it where fairseq has other ids, or else tokenizer.json of T5. Throws a LoadError that names
 * the file with a problem. Throws a RuleError for a preset that there is not.
 */
export async function loadKosmosTokenizer(
  folder: string,
  { preset }: LoadKosmosTokenizerOptions = {},
): Promise<KosmosTokenizer> {
  checkPreset(preset);
  checkGiven("loadKosmosTokenizer", { folder }, "a text");
  if (kindOf(folder) !== "folder")
    throw new LoadError(`cannot open ${folder}: name the folder of a tokenizer  [io.file-errors]`);
  const found = findModel(folder);
  if (found !== null) {
    const known = presetOf(found);
    if (known === null || (preset ?? known) !== known) throw otherPreset(found, preset);
    return ofModel(found, known, folder);
  }
  if (kindOf(`${folder}/tokenizer.json`) === "nothing" || preset === "kosmos")
    throw new LoadError(
      `${folder}: there is none of ${MODEL_FILES.join(", ")}${preset === "kosmos" ? "" : ", and no tokenizer.json"}; name a folder that has one of them  [tokenizer.files]`,
    );
  const tokenizer = await loadTokenizer(folder, { special: [...IMAGE_TOKENS] });
  const other = T5_PIECES.find((token, id) => tokenizer.tokenToId(token) !== id);
  if (other === undefined) return withIds(tokenizer, { name: folder, preset: "t5", repeatsEnd: true });
  throw new LoadError(
    `${folder}/tokenizer.json: ${other} has not the id ${T5_PIECES.indexOf(other)} that it has in T5's vocabulary  [tokenizer.kosmos-presets]`,
  );
}
