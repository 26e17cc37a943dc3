// Selects the cases that a command runs, and says why the others are not run.
import { type CaseListing, listCases, readCase } from "../../io/golden/cases.ts";
import type { CaseManifest } from "../../io/golden/manifest.ts";
import { nameAndMessageOf } from "../../tensor/errors.ts";
import { checkMember } from "../../tensor/given.ts";
import type { Precision } from "../../tensor/precision.ts";
import { moduleName } from "../sources/registry.ts";
import type { CaseVerdict, Status } from "./verdict.ts";

/** A case that is not run, in the form of the verdicts on the others. */
export type NotRun = Omit<CaseVerdict, "precision">;

/** The cases that are run, and why others are not. */
export interface CaseSelection {
  /** Folders of the cases to run, in order. */
  readonly folders: readonly string[];
  /** Cases that are skipped, and folders that should be cases but cannot be read. */
  readonly notRun: readonly NotRun[];
  /** Cases in folders that do not end in their id. */
  readonly moved: readonly { readonly id: string; readonly folder: string }[];
  /** Folders of other kinds of cases, which have tests of their own. */
  readonly otherKinds: CaseListing["otherKinds"];
}

/** The verdict on a case that has no numbers: it was skipped, or an error ended it. */
export function notRun(status: Status, id: string, error: string, module = "(unreadable)"): NotRun {
  return { id, module, status, rows: 0, worst: null, firstDivergence: null, error, kernels: null };
}

interface Readable {
  readonly folder: string;
  readonly manifest: CaseManifest;
}

/**
 * The cases at or below these paths that are to be run: the small ones, or with `full` the full-size ones. A case that is itself a path is run
 * in either case, unless a pattern has found it, as `matched` says. Folders that cannot be read, and ids that several folders have, are errors of their own and leave the others alone.
 */
export function selectCases(
  paths: readonly string[],
  options: { readonly full: boolean; readonly matched?: ReadonlySet<string> },
): CaseSelection {
  checkMember("selectCases", { options }, "full", "an object with full, which is true or false");
  const { full, matched = new Set() } = options;
  const { folders, broken, otherKinds } = listCases(paths);
  const rejected: NotRun[] = broken.map(({ path, problem }) => notRun("errored", path, problem));
  const cases: Readable[] = [];
  for (const folder of folders) {
    try {
      const golden = readCase(folder);
      golden.close();
      cases.push({ folder, manifest: golden.manifest });
    } catch (error) {
      rejected.push(notRun("errored", folder, nameAndMessageOf(error)));
    }
  }
  const byId = new Map<string, Readable[]>();
  for (const one of cases) byId.set(one.manifest.id, [...(byId.get(one.manifest.id) ?? []), one]);
  const named = new Set(
    paths.filter((path) => !matched.has(path)).map((path) => path.replace(/(?<=.)\/+$/, "")),
  );
  const selected: Readable[] = [];
  for (const [id, [first, ...more]] of byId) {
    if (!first) continue;
    const module = moduleName(first.manifest.source);
    const places = [first, ...more].map(({ folder }) => folder);
    if (more.length > 0)
      rejected.push(
        notRun("errored", id, `${places.join(" and ")} have this id; rename one  [case.id]`, module),
      ); // [case.id]
    else if (first.manifest.full === full || named.has(first.folder)) selected.push(first);
    else
      rejected.push(
        notRun(
          "skipped",
          id,
          full ? "small cases, which run without --full" : "full-size cases, which --full runs",
          module,
        ),
      );
  }
  return {
    folders: selected.map(({ folder }) => folder),
    notRun: rejected,
    moved: selected
      .filter(({ folder, manifest: { id } }) => !isAt(folder, id))
      .map(({ folder, manifest: { id } }) => ({ id, folder })),
    otherKinds,
  };
}

/** Whether a folder's last names are those of the id. A relative path may have fewer names, and then all of them count. */
function isAt(folder: string, id: string): boolean {
  const names = folder.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) return true; // the path does not say where it is
  const of = id.split("/");
  const count = folder.startsWith("/") ? of.length : Math.min(names.length, of.length);
  return count === 0 || names.slice(-count).join("/") === of.slice(-count).join("/");
}

/** The verdicts on cases that were not run, as of this precision. */
export const asVerdicts = (selection: CaseSelection, precision: Precision): CaseVerdict[] =>
  selection.notRun.map((one) => ({ ...one, precision }));
