// Errors of Node's file system as LoadErrors with the path, the reason and a remedy.
import { LoadError } from "../tensor/errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder; check the path",
  EACCES: "reading or writing it is not permitted; check its permissions",
  EPERM: "reading or writing it is not permitted; check its permissions",
  EEXIST: "there is a file of this name; choose another name",
  EISDIR: "it is a folder; name a file",
  ENOTDIR: "a part of the path is a file; check the path",
  ENOSPC: "the disk is full; free some space",
  EDQUOT: "the disk quota is used up; free some space",
  EROFS: "the disk is read-only; write elsewhere",
  ELOOP: "its symbolic links form a circle; remove one",
  EMFILE: "too many files are open; close some",
  ENAMETOOLONG: "its name is too long; choose a shorter one",
};

/** The reason for an error of the system, with a remedy; null for any other error. */
export function systemReason(error: unknown): string | null {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? null : (REASONS[code] ?? message);
}

/** Runs a file operation and turns an error of the system into a LoadError with the path and a remedy. [io.file-errors] */
export function attempt<T>(action: string, path: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    const reason = systemReason(error);
    if (reason === null) throw error;
    throw new LoadError(`cannot ${action} ${String(path)}: ${reason}  [io.file-errors]`);
  }
}
