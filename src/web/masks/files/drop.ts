// Reads files that are dropped onto the page, folders included, or chosen in a dialog.

import type { ByteSource } from "#host";
import { LoadError } from "../../../tensor/errors.ts";
import { sourceOf } from "./slices.ts";

/** By their paths within the drop. */
export type Files = ReadonlyMap<string, ByteSource>;
type Named = readonly [name: string, file: File];

const MOST_FILES = 1000;

/** Files that the page reads; others are ignored. */
const isRead = (name: string): boolean => /(?:^|\/)case\.json$|\.safetensors$/.test(name);

const batchOfEntries = (reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> =>
  new Promise((done, failed) => reader.readEntries(done, failed));

const fileOf = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((done, failed) => entry.file(done, failed));

/** Adds the files of an entry, and those of a folder's entries, to `found`. */
async function addFiles(entry: FileSystemEntry, found: Named[]): Promise<void> {
  if (entry.isFile) {
    const name = entry.fullPath.replace(/^\//, "");
    if (isRead(name)) found.push([name, await fileOf(entry as FileSystemFileEntry)]);
    if (found.length > MOST_FILES)
      throw new LoadError(`The folder has more than ${MOST_FILES} files; drop the folder of one case.`);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const entries = await batchOfEntries(reader);
    if (entries.length === 0) break; // a call returns at most 100 entries
    for (const one of entries) await addFiles(one, found);
  }
}

async function sourcesOf(files: readonly Named[]): Promise<Files> {
  const read = files
    .filter(([name]) => isRead(name))
    .map(async ([name, file]) => [name, await sourceOf(name, file)] as const);
  return new Map(await Promise.all(read));
}

/** Reads all entries synchronously, because they are no longer available after the event. */
async function dropped(data: DataTransfer): Promise<Files> {
  const items = [...data.items].map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const found: Named[] = [];
  for (const item of items) {
    if (item instanceof File) found.push([item.name, item]);
    else if (item) await addFiles(item, found);
  }
  return sourcesOf(found);
}

/** The files chosen in a file input. */
export const chosen = (input: HTMLInputElement): Promise<Files> =>
  sourcesOf([...(input.files ?? [])].map((file): Named => [file.name, file]));

/** Calls `take` with files that are dropped anywhere on the page. */
export function onDrop(take: (files: Promise<Files>) => void): void {
  const showTarget = (on: boolean) => document.body.classList.toggle("dropping", on);
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    showTarget(true);
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) showTarget(false);
  });
  addEventListener("drop", (event) => {
    showTarget(false);
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    take(dropped(event.dataTransfer));
  });
}
