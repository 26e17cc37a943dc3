// Installs what package-lock.json names, unless node_modules is already at least as new. Needs only Node and npm.
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";

const time = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
if (time("node_modules/.package-lock.json") < time("package-lock.json")) {
  console.error("setting up: npm ci (once; needs the network)");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  process.exit(status ?? 1);
}
