// Paths in files.

/** A path that a file of `folder` has: absolute, or relative to the folder. */
export const resolved = (folder: string, path: string): string =>
  folder === "." || /^([A-Za-z]:)?[\\/]/.test(path) ? path : `${folder}/${path}`;
