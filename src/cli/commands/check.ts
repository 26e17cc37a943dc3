// The command `flamboyance check`.
import { type Actual, checkCase, DEFAULT_PRECISIONS } from "../../conformance/cases/check-case.ts";
import { summariseMasks } from "../../conformance/cases/check-masks.ts";
import { type CaseVerdict, exitCode, kernelsOf, summarise } from "../../conformance/cases/verdict.ts";
import { findCases, type GoldenCase, readCase, writeActual } from "../../io/golden/cases.ts";
import { findMaskCases } from "../../io/golden/masks.ts";
import type { Backend } from "../../kernels/backend.ts";
import { reference } from "../../kernels/reference/index.ts";
import { tour } from "../../masks/drawing/tour.ts";
import type { Precision } from "../../tensor/precision.ts";
import { progressOn } from "../../terminal/progress.ts";
import { oneOf, readArguments } from "../arguments.ts";
import { defaultCases } from "../golden-files.ts";
import { CHECK } from "../help/check.ts";
import { asVerdict, maskLine, printMasks, runMasks, splitPaths } from "../mask-checks.ts";
import { DOCUMENT_OPTIONS, documentKind, print } from "../output.ts";
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

export const PRECISIONS = ["float64", "float32", "bfloat16", "float16"] as const;

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

/** The small cases, or with --full the full-size ones. A case that is itself a PATH always runs. */
function chooseCases(paths: readonly string[], full: boolean): string[] {
  const folders = findCases(paths.length > 0 ? paths : [defaultCases()]);
  const named = new Set(paths.map((path) => path.replace(/[\\/]+$/, "")));
  return folders.filter((folder) => named.has(folder) || full === isFull(folder));
}

/** A case that cannot be read counts as small; the check then reports the reason. */
function isFull(folder: string): boolean {
  try {
    return readCase(folder).manifest.full;
  } catch {
    return false;
  }
}

const broken = (folder: string, precision: Precision, error: unknown): CaseVerdict => ({
  id: folder,
  module: "(unreadable)",
  precision,
  status: "errored",
  rows: 0,
  worst: null,
  firstDivergence: null,
  error: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
  kernels: null,
});

async function runAll(
  folders: readonly string[],
  backends: readonly Backend[],
  out: string | undefined,
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
        verdicts.push(await checkCase(readCase(folder), backend, { onProgress, onActual }));
      } catch (error) {
        verdicts.push(broken(folder, backend.precision, error));
      }
    }
  }
  progress.clear();
  return verdicts;
}

const NEXT = `Next: read one block beside its equation (docs/10-reading-flamingo.md), or judge another implementation
with  flamboyance conform --actual DIR  (flamboyance conform --help).
`;

export async function check(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(CHECK);
    return 0;
  }
  const kind = documentKind(values);
  const { masks: named, others } = splitPaths(positionals);
  const exhaustive = runMasks(named, true);
  if (named.length > 0 && others.length === 0) return printMasks(exhaustive, kind); // [mask.check]
  const backends = await openBackends(values);
  try {
    const ran = await runAll(chooseCases(others, values.full), backends, values.out);
    const verdicts = [...ran, ...exhaustive.map(asVerdict)];
    const quick = values.full
      ? []
      : runMasks(findMaskCases(others.length > 0 ? others : [defaultCases()]), false);
    const masks = [...exhaustive, ...quick];
    const more = masks.length > 0 ? { masks: summariseMasks(masks) } : {};
    const precisions = backends.map(({ precision }) => precision).join(" and ");
    const [{ name, mode } = { name: "", mode: null }] = backends;
    print(
      verdicts,
      kind,
      `This implementation on golden cases, ${precisions} (${[name, mode].filter(Boolean).join(" ")})`,
      more,
    );
    if (masks.length > 0 && !kind) writeOut(`${maskLine(masks, paintOn(process.stdout))}\n`); // [mask.check]
    if (values.tour && !kind) {
      writeOut(`\n${tour({ colour: colourOn(process.stdout) })}\n\n${await captionTour()}\n\n${NEXT}`);
    }
    const differ = masks.some((v) => v.disagreements > 0) ? 1 : 0; // [mask.check]
    return Math.max(exitCode(summarise(verdicts)), differ, fallbackStatus(verdicts, name));
  } finally {
    for (const backend of backends) await backend.close();
  }
}

/** 2 if a product fell back to the definition, because then the check is not one of the backend's kernels. */
function fallbackStatus(verdicts: readonly CaseVerdict[], backend: string): 0 | 2 {
  const { matmul, attention, fallback, mode } = kernelsOf(verdicts);
  if (backend === "reference") return 0;
  writeError(
    `${matmul} products and ${attention} attention scopes ran in ${backend} ${mode}, ${fallback} fell back to the definition\n`,
  );
  return fallback > 0 ? 2 : 0;
}
