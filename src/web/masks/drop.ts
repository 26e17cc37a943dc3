// Files onto the page: dropped, folders included, or chosen.

export type Files = ReadonlyMap<string, Uint8Array>;

async function entryFiles(entry: FileSystemEntry): Promise<[string, File][]> {
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    return [[entry.fullPath.replace(/^\//, ""), file]];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const inside: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) break; // it gives a hundred at a time
    inside.push(...some);
  }
  return (await Promise.all(inside.map(entryFiles))).flat();
}

async function bytesOf(files: readonly (readonly [string, File])[]): Promise<Files> {
  const read = files.map(async ([name, file]) => [name, new Uint8Array(await file.arrayBuffer())] as const);
  return new Map(await Promise.all(read));
}

/** Entries have to be asked for at once: after the event they are gone. */
async function dropped(data: DataTransfer): Promise<Files> {
  const found = [...data.items].map((item): Promise<[string, File][]> => {
    const entry = item.webkitGetAsEntry();
    if (entry) return entryFiles(entry);
    const file = item.getAsFile();
    return Promise.resolve(file ? [[file.name, file]] : []);
  });
  return bytesOf((await Promise.all(found)).flat());
}

export const chosen = (input: HTMLInputElement): Promise<Files> =>
  bytesOf([...(input.files ?? [])].map((file) => [file.name, file] as const));

/** Tells of files that are dropped anywhere on the page. */
export function onDrop(take: (files: Promise<Files>) => void): void {
  const over = (on: boolean) => document.body.classList.toggle("dropping", on);
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) over(false);
  });
  addEventListener("drop", (event) => {
    over(false);
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    take(dropped(event.dataTransfer));
  });
}
