// Packs and installs the package in temporary folders, and reads the lockfile.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, posix } from "node:path";
import { repository } from "../architecture/tree.mjs";

/** The result of a command. */
export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function run(cwd: string, command: string, ...args: readonly string[]): CommandResult {
  const { npm_config_local_prefix: _, INIT_CWD: __, ...env } = process.env; // set by the npm that runs the tests
  const shell = process.platform === "win32";
  return spawnSync(command, args, { cwd, env, encoding: "utf8", shell });
}

/** The output of a command that has to succeed. */
export function outputOf({ status, stdout, stderr }: CommandResult): string {
  if (status !== 0) throw new Error(`exit ${status}\n${stdout}${stderr}`);
  return stdout;
}

export interface Packed {
  readonly tarball: string;
  readonly paths: readonly string[];
  readonly unpackedSize: number;
}

/** Packs a copy of the repository. */
export function packInto(folder: string): Packed {
  const copy = join(folder, "repository");
  const parts =
    "package.json tsconfig.json src spec docs .ci golden README.md LICENSE CHANGELOG.md CONTRIBUTING.md";
  for (const part of parts.split(" ").filter((path) => existsSync(join(repository, path))))
    cpSync(join(repository, part), join(copy, part), {
      recursive: true,
      filter: (path) => !/\.venv$|[/\\](docs|golden)[/\\].*node_modules$/.test(path),
    });
  symlinkSync(join(repository, "node_modules"), join(copy, "node_modules"), "junction");
  const [packed] = JSON.parse(outputOf(run(copy, "npm", "pack", "--json", "--pack-destination", folder)));
  const paths = packed.files.map(({ path }: { path: string }) => path);
  return { tarball: join(folder, packed.filename), paths, unpackedSize: packed.unpackedSize };
}

const EXPECTED = [
  /^dist\/.*\.(js|js\.map|d\.ts|d\.ts\.map|wasm)$/,
  /^dist\/web\/((index|speed)\.html|(inspector|speed)\.css)$/,
  /^src\/(?!web\/|kernels\/simd\/assembly\/).*\.ts$/,
  /^spec\/(?!support\/).*\.(md|spec\.ts)$/,
  /^spec\/support\/fixtures\/folders\/chain-folder\.ts$/,
  /^spec\/support\/oracles\/.*\.ts$/,
  /^docs\/(?!.*node_modules\/).*\.(md|svg|png|mjs|mts|py|json)$/,
  /^golden\/(FORMAT|COVERAGE)\.md$/,
  /^golden\/adapters\/[^/]+\.py$/,
  /^golden\/cases\/[^/]+\/[^/]+\/(case\.json|(inputs|expected)\.safetensors)$/,
  /^golden\/cases\/masks\/(masks\.json|rows\.safetensors)$/,
  /^golden\/data\/SOURCES\.md$/,
  /^golden\/(data|models)\/digits\.safetensors$/,
  /^golden\/data\/perceiver-io\/[^/]+\.txt$/,
  /^(package\.json|LICENSE|(README|CHANGELOG|CONTRIBUTING)\.md)$/,
];

/** Paths that do not belong in the package. */
export const unexpectedPaths = (paths: readonly string[]): string[] =>
  paths.filter((path) => !EXPECTED.some((pattern) => pattern.test(path)));

/** Source maps of an installed package whose source is missing. */
export function brokenSourceMaps(folder: string, paths: readonly string[]): string[] {
  return paths
    .filter((path) => path.endsWith(".map"))
    .filter((path) => {
      const { sources, sourceRoot = "" } = JSON.parse(readFileSync(join(folder, path), "utf8"));
      const found = sources.map((source: string) => posix.join(posix.dirname(path), sourceRoot, source));
      return !found.every((source: string) => paths.includes(source));
    });
}

/** The files of the cases that the repository marks for the package, and of the cases with these names, as paths below golden/cases. */
export function markedForShipping(names: ReadonlySet<string>): string[] {
  const cases = join(repository, "golden/cases");
  const paths = readdirSync(cases, { recursive: true }).map((path) => String(path).replaceAll("\\", "/"));
  const marked = paths
    .filter((path) => path.endsWith("/case.json"))
    .filter(
      (path) =>
        names.has(posix.basename(posix.dirname(path))) ||
        JSON.parse(readFileSync(join(cases, path), "utf8")).ship === true,
    )
    .map((path) => posix.dirname(path));
  return paths.filter((path) => marked.includes(posix.dirname(path))).sort();
}

/** Installs the package, without peers but with `more` packages, into an empty project. */
export function installInto(
  folder: string,
  tarball: string,
  { overrides = {}, more = [] }: { readonly overrides?: object; readonly more?: readonly string[] } = {},
): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", overrides }));
  outputOf(
    run(
      folder,
      "npm",
      "install",
      "--prefer-offline",
      "--no-audit",
      "--no-fund",
      "--omit=peer",
      tarball,
      ...more,
    ),
  );
}

/** Names of the packages that npm installed in a project. */
export const packagesIn = (project: string): string[] =>
  Object.keys(JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8")).packages)
    .filter((path) => path !== "")
    .map((path) => path.replace(/^.*node_modules\//, ""));

export const bytesBelow = (folder: string): number =>
  readdirSync(folder, { recursive: true })
    .map((path) => statSync(join(folder, String(path))))
    .reduce((sum, entry) => sum + (entry.isFile() ? entry.size : 0), 0);

interface Locked {
  readonly name?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** Entries of a lockfile because of which `npm ci` would fail on some platform or run a compiler, a line each. */
export function lockfileProblems(packages: Readonly<Record<string, Locked>>, manifest: Locked): string[] {
  const problems: string[] = [];
  for (const [path, locked] of Object.entries(packages)) {
    if (locked.resolved !== undefined)
      problems.push(`${path} has the address of a registry: ${locked.resolved}`);
    if (locked.hasInstallScript) problems.push(`${path} has an install script`);
    for (const name of Object.keys(path === "" ? {} : (locked.optionalDependencies ?? {}))) {
      const known = [`${path}/node_modules/${name}`, `node_modules/${name}`].some((at) => packages[at]);
      if (!known) problems.push(`${path} may need ${name}, which is not locked: npm ci fails`);
    }
  }
  const gl = packages["node_modules/gl"];
  if (gl?.name !== "empty-npm-package") problems.push("gl is not the empty package");
  for (const kind of ["dependencies", "devDependencies"] as const) {
    const same = JSON.stringify(packages[""]?.[kind]) === JSON.stringify(manifest[kind]);
    if (!same) problems.push(`${kind} are not those of package.json`);
  }
  return problems;
}
