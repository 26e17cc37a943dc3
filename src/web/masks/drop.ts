// Reads files that are dropped onto the page, folders included, or chosen in a dialog.

export type Files = ReadonlyMap<string, Uint8Array>;

async function entryFiles(entry: FileSystemEntry): Promise<[string, File][]> {
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    return [[entry.fullPath.replace(/^\//, ""), file]];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const entries: FileSystemEntry[] = [];
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (batch.length === 0) break; // a call returns at most 100 entries
    entries.push(...batch);
  }
  return (await Promise.all(entries.map(entryFiles))).flat();
}

async function bytesOf(files: readonly (readonly [string, File])[]): Promise<Files> {
  const read = files.map(async ([name, file]) => [name, new Uint8Array(await file.arrayBuffer())] as const);
  return new Map(await Promise.all(read));
}

/** Reads all entries synchronously, because they are no longer available after the event. */
async function dropped(data: DataTransfer): Promise<Files> {
  const files = [...data.items].map((item): Promise<[string, File][]> => {
    const entry = item.webkitGetAsEntry();
    if (entry) return entryFiles(entry);
    const file = item.getAsFile();
    return Promise.resolve(file ? [[file.name, file]] : []);
  });
  return bytesOf((await Promise.all(files)).flat());
}

/** The files chosen in a file input. */
export const chosen = (input: HTMLInputElement): Promise<Files> =>
  bytesOf([...(input.files ?? [])].map((file) => [file.name, file] as const));

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
