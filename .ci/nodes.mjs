// Other versions of Node, installed from npm into a temporary folder.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { execute } from "./steps.mjs";

/** The binary of the newest release of this major version, or undefined if it cannot be installed. */
export async function installNode(major, folder) {
  const prefix = join(folder, `node-${major}`);
  const words = ["npm", "install", "--prefix", prefix, "--no-audit", "--no-fund", `node@${major}`];
  const { status } = await execute(10, words);
  const binary = join(prefix, "node_modules/node/bin/node");
  if (status !== 0 || !existsSync(binary)) return undefined;
  const { output } = await execute(1, [binary, "--version"]);
  return output.startsWith(`v${major}.`) ? binary : undefined;
}

/** An environment in which `node` is this binary. */
export const withNode = (binary) => ({ ...process.env, PATH: `${dirname(binary)}:${process.env.PATH}` });
