// The SentencePiece model of a folder: a file of SentencePiece under one of the names that transformers gives it, or its pieces as JSON.
import { readBytes, readJson } from "../folder.ts";
import { type ModelFile, readModelFile } from "./model-file.ts";
import { readPieces } from "./pieces.ts";

const PIECES_FILE = "pieces.json";
const BINARY_FILES = ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model"];
/** The files that are looked for, in this order. */
export const MODEL_FILES: readonly string[] = [...BINARY_FILES, PIECES_FILE];

/** A model and the path of its file. */
export interface FoundModel extends ModelFile {
  readonly path: string;
}

/** The model of a folder, or null if it has none. Throws a LoadError for a file with a problem. */
export function findModel(folder: string): FoundModel | null {
  for (const name of BINARY_FILES) {
    const path = `${folder}/${name}`;
    const bytes = readBytes(path);
    if (bytes !== null) return { ...readModelFile(bytes, path), path };
  }
  const path = `${folder}/${PIECES_FILE}`;
  const json = readJson(path);
  return json === null ? null : { model: readPieces(json, path), specialTokens: new Map(), path };
}
