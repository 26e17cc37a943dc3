// Starts a command that serves until it is stopped, reads its first page and stops it: serve npx flamboyance inspect
import { spawn } from "node:child_process";

const [command, ...words] = process.argv.slice(2);
const child = spawn(command, [...words, "--json"], { stdio: ["ignore", "pipe", "inherit"] });
for await (const text of child.stdout) {
  const { address } = JSON.parse(text);
  const { status } = await fetch(address);
  console.log(`serves a page: ${status}`);
  process.exitCode = status === 200 ? 0 : 1;
  break;
}
child.kill();
