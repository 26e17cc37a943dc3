// The command `flamboyance check`.
import { type Actual, checkCase, DEFAULT_PRECISIONS } from "../../conformance/cases/check-case.ts";
import { type MaskVerdict, summariseMasks } from "../../conformance/cases/check-masks.ts";
import { namedCases } from "../../conformance/cases/named.ts";
import { asVerdicts, type CaseSelection, notRun, selectCases } from "../../conformance/cases/selection.ts";
import { type CaseVerdict, exitCode, kernelsOf, summariseCases } from "../../conformance/cases/verdict.ts";
import { lastLine } from "../../conformance/reports/verdict-table.ts";
import { type GoldenCase, readCase, writeActual } from "../../io/golden/cases.ts";
import { findMaskCases } from "../../io/golden/masks.ts";
import type { Backend } from "../../kernels/backend.ts";
import type { FallbackReason } from "../../kernels/dispatch.ts";
import { reference } from "../../kernels/reference/index.ts";
import { tour } from "../../masks/drawing/tour.ts";
import { nameAndMessageOf } from "../../tensor/errors.ts";
import { PRECISIONS, type Precision } from "../../tensor/precision.ts";
import { progressOn } from "../../terminal/progress.ts";
import { folderOption, oneOf, readArguments } from "../arguments.ts";
import { defaultCases } from "../golden-files.ts";
import { CHECK } from "../help/check.ts";
import { asVerdict, maskLine, NO_MASKS, printMasks, runMasks, splitPaths } from "../mask-checks.ts";
import { DOCUMENT_OPTIONS, type DocumentKind, documentKind, print } from "../output.ts";
import { colourOn, paintOn, writeError, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { captionTour } from "./digits.ts";

const OPTIONS = {
  ...DOCUMENT_OPTIONS,
  backend: { type: "string", default: "reference" },
  mode: { type: "string" },
  precision: { type: "string" },
  full: { type: "boolean", default: false },
  out: { type: "string" },
  tour: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

interface Choice {
  readonly backend: string;
  readonly mode?: string | undefined;
  readonly precision?: string | undefined;
  readonly full: boolean;
}

async function openBackends({ backend, mode, precision, full }: Choice): Promise<Backend[]> {
  const requested = precision === undefined ? null : oneOf("precision", precision, PRECISIONS);
  const chosen = oneOf("backend", backend, ["auto", "simd", "reference", "gpu"]);
  if (requested && requested !== "float32" && (chosen === "gpu" || chosen === "simd"))
    throw new UsageError(
      `the ${chosen} backend computes in float32 only; use --backend reference for ${requested}`,
    );
  if (chosen === "gpu") {
    const { gpu } = await import("../../kernels/gpu/index.ts");
    return [await gpu({ mode: oneOf("mode", mode ?? "webasm", ["webasm", "cpu", "headlessgl"]) })];
  }
  if (mode !== undefined) throw new UsageError("--mode needs --backend gpu");
  if (chosen === "simd") return [await (await import("../../kernels/simd/index.ts")).simd()];
  if (chosen === "auto") return [await (await import("../../kernels/auto.ts")).auto(requested ?? "float32")];
  const precisions: readonly Precision[] = requested ? [requested] : full ? ["float32"] : DEFAULT_PRECISIONS;
  return precisions.map((p) => reference(p));
}

/** The verdict on each case with each backend. An error of one case is its verdict, and the others run. */
async function runAll(
  folders: readonly string[],
  backends: readonly Backend[],
  { out, full }: { readonly out?: string | undefined; readonly full: boolean },
): Promise<CaseVerdict[]> {
  const progress = progressOn(process.stderr);
  const verdicts: CaseVerdict[] = [];
  const total = folders.length * backends.length;
  const onActual = (golden: GoldenCase, actual: Actual) => {
    if (out !== undefined) writeActual(out, golden.manifest.id, actual, { floats: "F64" });
  };
  for (const backend of backends) {
    for (const folder of folders) {
      const done = verdicts.length;
      const onProgress = (part: number) =>
        progress.step(done + part, total, `${folder} ${backend.precision}`);
      progress.step(done, total, `${folder} ${backend.precision}`);
      try {
        const golden = readCase(folder, { fullSize: full });
        verdicts.push(await checkCase(golden, backend, { onProgress, onActual }));
        golden.close();
      } catch (error) {
        verdicts.push({
          ...notRun("errored", folder, nameAndMessageOf(error)),
          precision: backend.precision,
        });
      }
    }
  }
  progress.clear();
  return verdicts;
}

/** The keys of the document and the last lines of the text for folders whose path is not their id, and for other kinds of cases. */
function remarksOn({ moved, otherKinds }: CaseSelection): { document: object; text: string } {
  const document = {
    ...(moved.length > 0 ? { moved } : {}),
    ...(otherKinds.length > 0 ? { otherKinds } : {}),
  };
  const lines = [
    ...moved.map(({ folder, id }) => `the folder ${folder} holds the case ${id}`),
    ...(otherKinds.length > 0
      ? [
          `${otherKinds.length} folders hold other kinds of cases, which check does not run: ${otherKinds.map(({ folder }) => folder).join(", ")}`,
        ]
      : []),
  ];
  return { document, text: lines.map((line) => `${lastLine(line)}\n`).join("") };
}

const NEXT = `Next: read one block beside its equation (docs/guides/10-reading-flamingo.md),
or judge another implementation (flamboyance conform --help).
`;

export async function check(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(CHECK);
    return 0;
  }
  return checkPaths(positionals, values, documentKind(values));
}

async function checkPaths(
  positionals: readonly string[],
  values: Choice & { readonly out?: string | undefined; readonly tour: boolean },
  kind: DocumentKind | null,
): Promise<number> {
  const { paths: given, matched } = namedCases(positionals, defaultCases());
  const { masks: named, others } = splitPaths(given);
  const exhaustive = runMasks(named, true);
  if (named.length > 0 && others.length === 0) return printMasks(exhaustive, kind); // [mask.check]
  const paths = others.length > 0 ? others : [defaultCases()];
  const selection = selectCases(paths, { full: values.full, matched });
  const backends = await openBackends(values);
  try {
    if (values.out !== undefined) folderOption("out", values.out);
    const ran = await runAll(selection.folders, backends, values);
    const quick = values.full ? NO_MASKS : runMasks(findMaskCases(paths), false);
    const masks = [...exhaustive.verdicts, ...quick.verdicts];
    const [{ name, mode, precision } = { name: "", mode: null, precision: "float64" as const }] = backends;
    const verdicts = [
      ...ran,
      ...asVerdicts(selection, precision),
      ...exhaustive.verdicts.map(asVerdict),
      ...[...exhaustive.broken, ...quick.broken].map((one) => ({ ...one, precision })),
    ];
    const remarks = remarksOn(selection);
    const more = { ...(masks.length > 0 ? { masks: summariseMasks(masks) } : {}), ...remarks.document };
    const precisions = backends.map((backend) => backend.precision).join(" and ");
    const title = `This implementation on golden cases, ${precisions} (${[name, mode].filter(Boolean).join(" ")})`;
    print(verdicts, kind, title, more);
    if (!kind) await printEnd(remarks.text, masks, values.tour);
    const differ = masks.some((v) => v.disagreements > 0) ? 1 : 0; // [mask.check]
    return Math.max(exitCode(summariseCases(verdicts)), differ, fallbackStatus(verdicts, name));
  } finally {
    for (const backend of backends) await backend.close();
  }
}

async function printEnd(remarks: string, masks: readonly MaskVerdict[], withTour: boolean): Promise<void> {
  writeOut(remarks);
  if (masks.length > 0) writeOut(`${maskLine(masks, paintOn(process.stdout))}\n`); // [mask.check]
  if (!withTour) return;
  const drawing = tour({ colour: colourOn(process.stdout) });
  writeOut(`\n${drawing}\n\n${await captionTour()}\n\n${NEXT}`);
}

const REASONS: Readonly<Record<FallbackReason, string>> = {
  inputs: "the kernel does not take these inputs",
  "unnamed-reads": "the body reads a tensor that is not an input",
  "inner-reads": "an inner value is read elsewhere",
  "not-computed": "the body returns an input or a constant",
};

/** 2 if a product fell back to the definition, because then the check is not one of the backend's kernels. */
function fallbackStatus(verdicts: readonly CaseVerdict[], backend: string): 0 | 2 {
  const { matmul, attention, fallback, unfused, mode } = kernelsOf(verdicts);
  if (backend === "reference") return 0;
  writeError(
    `${matmul} products and ${attention} attention scopes ran in ${backend} ${mode}, ${fallback} fell back to the definition\n`,
  );
  for (const { scope, inputs, reason, count } of unfused)
    writeError(`${count} ${scope} (${inputs.join(", ")}) ran op by op: ${REASONS[reason]}\n`);
  return fallback > 0 ? 2 : 0;
}
