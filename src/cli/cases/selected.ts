// The cases that a task of `flamboyance cases` is about: those with the given names, or all, that the options leave.
import { namedCases } from "../../conformance/cases/named.ts";
import { listCases, readManifest } from "../../io/golden/cases.ts";
import type { CaseManifest } from "../../io/golden/manifest.ts";
import { quoted } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { didYouMean } from "../../terminal/nearest.ts";
import { oneOf, readArguments } from "../arguments.ts";
import { defaultCases } from "../golden-files.ts";

const OPTIONS = {
  package: { type: "string" },
  class: { type: "string" },
  level: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

const LEVELS = ["op", "module", "block", "model", "decode", "grad", "preprocess", "mask"] as const;

export interface NamedCase {
  readonly folder: string;
  readonly manifest: CaseManifest;
}

export interface Request {
  readonly package?: string | undefined;
  readonly class?: string | undefined;
  readonly level?: string | undefined;
  readonly json: boolean;
  readonly names: readonly string[];
}

export function readRequest(args: readonly string[]): Request {
  const { values, positionals: names } = readArguments(args, OPTIONS);
  if (values.level !== undefined) oneOf("level", values.level, LEVELS);
  return { ...values, names };
}

/** The cases with these names, or all, sorted by folder. Throws a LoadError where none is left. */
export function selected(request: Request): NamedCase[] {
  const root = defaultCases();
  const { paths } =
    request.names.length > 0 ? namedCases(request.names, root) : { paths: [root.replace(/\/+$/, "")] };
  const { folders, broken } = listCases(paths);
  const [first] = broken;
  if (first) throw new LoadError(`${first.path}: ${first.problem}`);
  const all = folders.map((folder) => ({ folder, manifest: readManifest(folder) }));
  const filters = [
    ["package", (one: NamedCase) => one.manifest.source.package],
    ["class", (one: NamedCase) => one.manifest.source.class],
    ["level", (one: NamedCase) => one.manifest.level],
  ] as const;
  return filters.reduce<NamedCase[]>((cases, [option, of]) => {
    const wanted = request[option];
    if (wanted === undefined) return cases;
    const left = cases.filter((one) => of(one) === wanted);
    if (left.length > 0) return left;
    const near = didYouMean(wanted, new Set(all.map(of)));
    throw new LoadError(
      `no case has the ${option} ${quoted(wanted)}${near}; flamboyance cases list shows all cases`,
    );
  }, all);
}
