// Temporary folders of tests: there while the tests run that asked for them, and gone afterwards.
import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";

/** A folder for the tests of the file or `describe` that asks. Where none of them is wanted no hook runs: none is made. */
export function temporary(): string {
  const folder = join(tmpdir(), `flamboyance-test-${randomUUID()}`);
  beforeAll(() => void mkdirSync(folder));
  afterAll(() => rmSync(folder, { recursive: true }), 60_000); // [house.temporary]
  return folder;
}

/** Paths in such a folder, another each time; nothing is there yet. */
export function folders(): () => string {
  const folder = temporary();
  let count = 0;
  return () => join(folder, String(count++));
}
