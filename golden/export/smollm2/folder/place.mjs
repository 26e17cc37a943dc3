// Where the folder of SmolLM2 is by default, and whether a folder is the one that convert.py writes.
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The requirement for pip, and the names, sizes and SHA-256 hashes of the wheel and of the files that are made from it. */
export const EXPECTED = JSON.parse(readFileSync(new URL("expected.json", import.meta.url), "utf8"));

/** The user's folder for caches: $XDG_CACHE_HOME where it is set, otherwise the platform's. */
function cacheFolder({ env, platform, home }) {
  if (env.XDG_CACHE_HOME) return env.XDG_CACHE_HOME;
  if (platform === "darwin") return join(home, "Library", "Caches");
  if (platform === "win32") return env.LOCALAPPDATA ?? join(home, "AppData", "Local");
  return join(home, ".cache");
}

/** The folder that is made without --dest. */
export function defaultPlace(system = { env: process.env, platform: process.platform, home: homedir() }) {
  return join(cacheFolder(system), "flamboyance", "SmolLM2-135M-Instruct");
}

export async function sha256(path) {
  const sum = createHash("sha256");
  for await (const chunk of createReadStream(path)) sum.update(chunk);
  return sum.digest("hex");
}

/** The problem with a file, or null if it has the size and the hash that are expected. */
export async function examineFile(path, { bytes, sha256: hash }) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isFile()) return "is missing";
  if (found.size !== bytes) return `has ${found.size} bytes in place of ${bytes}`;
  const own = await sha256(path);
  return own === hash ? null : `has the SHA-256 ${own} in place of ${hash}`;
}

/** What is at a path: { kind: "absent" | "complete" | "other", problem }. Files beside the expected ones do no harm. */
export async function examineFolder(path, files = EXPECTED.files) {
  if (!existsSync(path)) return { kind: "absent", problem: null };
  if (!statSync(path).isDirectory()) return { kind: "other", problem: "it is a file" };
  if (readdirSync(path).length === 0) return { kind: "absent", problem: null };
  for (const [name, file] of Object.entries(files)) {
    const problem = await examineFile(join(path, name), file);
    if (problem !== null) return { kind: "other", problem: `its ${name} ${problem}` };
  }
  return { kind: "complete", problem: null };
}
