// flamboyance cases: its tasks.

import { namedCases } from "../../conformance/cases/named.ts";
import { didYouMean } from "../../terminal/nearest.ts";
import { defaultCases } from "../golden-files.ts";
import { paintOn, widthOn, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { copyCases } from "./copy.ts";
import { CASES } from "./help.ts";
import { type Request, readRequest, selected } from "./selected.ts";
import { documentOf, entryOf, listed, shown } from "./shown.ts";

function list(request: Request): void {
  const cases = selected(request);
  if (request.json) writeJson({ cases: cases.map(entryOf) });
  else writeOut(`${listed(cases, paintOn(process.stdout))}\n`);
}

function show(request: Request): void {
  if (request.names.length !== 1) throw new UsageError("cases show takes one name, such as swiglu--basic");
  const cases = selected(request);
  const [paint, width] = [paintOn(process.stdout), widthOn(process.stdout)];
  if (request.json) writeJson({ cases: cases.map(documentOf) });
  else writeOut(`${cases.map((one) => shown(one, paint, width)).join("\n\n")}\n`);
}

const isFiltered = (request: Request): boolean =>
  request.package !== undefined || request.class !== undefined || request.level !== undefined;

/** Folders as they are named: a package or a path is one folder, and a filter leaves single cases. */
function path(request: Request): void {
  const root = defaultCases();
  const named = request.names.length > 0 ? namedCases(request.names, root).paths : [root];
  const paths = isFiltered(request) ? selected(request).map(({ folder }) => folder) : named;
  if (request.json) writeJson({ paths });
  else writeOut(`${paths.join("\n")}\n`);
}

function copy({ names: [target, ...names], ...request }: Request): void {
  if (target === undefined || target === "") throw new UsageError("cases copy needs a folder to write to");
  const cases = selected({ ...request, names });
  copyCases(cases, target);
  const ids = cases.map(({ manifest }) => manifest.id);
  if (request.json) writeJson({ folder: target, cases: ids });
  else
    writeOut(
      `${ids.length} ${ids.length === 1 ? "case is" : "cases are"} in ${target}/cases, with FORMAT.md, COVERAGE.md and adapters/ beside them\n`,
    );
}

const tasks: Readonly<Record<string, (request: Request) => void>> = { list, show, path, copy };

export async function cases([task, ...args]: readonly string[]): Promise<number> {
  if (task === "--help" || args.includes("--help")) {
    writeOut(CASES);
    return 0;
  }
  const run = task !== undefined && Object.hasOwn(tasks, task) ? tasks[task] : undefined;
  if (!run) {
    const given = task === undefined ? "" : `, not "${task}"${didYouMean(task, Object.keys(tasks))}`;
    throw new UsageError(`cases has the tasks ${Object.keys(tasks).join(", ")}${given}`);
  }
  run(readRequest(args));
  return 0;
}
