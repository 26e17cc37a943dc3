// Checks golden cases in gpu.js's headlessgl mode, WebGL in Node:
//   node spec/support/browser/check-headless.mjs [--in FOLDER] [arguments of `flamboyance check`…]
// gpu.js's optional dependency `gl` is not installed by default, because compiling ANGLE takes minutes. This script installs it, gpu.js and
// this package in a temporary folder, or in FOLDER to reuse the installation. It needs a C++ compiler, python3, the headers of libX11,
// libXi and libXext (apt-get install libxi-dev libgl1-mesa-dev), and Xvfb if there is no display.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const args = process.argv.slice(2);
const at = args.indexOf("--in");
const [, kept] = at < 0 ? [] : args.splice(at, 2);
const folder = kept === undefined ? mkdtempSync(join(tmpdir(), "flamboyance-gl-")) : resolve(kept);
const npm = (cwd, ...args) => execFileSync("npm", args, { cwd, encoding: "utf8" });

try {
  mkdirSync(folder, { recursive: true });
  const manifest = join(folder, "package.json");
  if (!existsSync(manifest)) writeFileSync(manifest, '{ "private": true }\n');
  const [packed] = JSON.parse(npm(root, "pack", "--json", "--ignore-scripts", "--pack-destination", folder));
  const wanted = [join(folder, packed.filename), "gpu.js@2.24.1", "gl@8.1.6"];
  npm(folder, "install", "--no-audit", "--no-fund", ...wanted);
  const main = join(folder, "node_modules/flamboyance/dist/cli/main.js");
  const check = [process.execPath, main, "check", "--backend", "gpu", "--mode", "headlessgl"];
  const paths = args.some((word) => !word.startsWith("-")) ? [] : [join(root, "golden/cases")];
  const [command, ...rest] = [
    ...(process.env.DISPLAY ? [] : ["xvfb-run", "-a"]),
    ...check,
    ...args,
    ...paths,
  ];
  const { status, error } = spawnSync(command, rest, { cwd: root, stdio: "inherit" });
  if (error) throw error.code === "ENOENT" ? new Error("there is no display: apt-get install xvfb") : error;
  process.exitCode = status ?? 2;
} finally {
  if (kept === undefined) rmSync(folder, { recursive: true });
}
