// The command `flamboyance conform`.
import type { Actual } from "../../conformance/cases/check-case.ts";
import { judge } from "../../conformance/cases/judge.ts";
import { type CaseVerdict, exitCode, summarise } from "../../conformance/cases/verdict.ts";
import { moduleName } from "../../conformance/sources/registry.ts";
import { findCases, type GoldenCase, readActual, readCase } from "../../io/golden/cases.ts";
import type { SafetensorsFile } from "../../io/safetensors/read.ts";
import type { Precision } from "../../tensor/precision.ts";
import { oneOf, readArguments } from "../arguments.ts";
import { defaultCases } from "../golden-files.ts";
import { CONFORM } from "../help/conform.ts";
import { DOCUMENT_OPTIONS, documentKind, print } from "../output.ts";
import { writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { PRECISIONS } from "./check.ts";

const OPTIONS = {
  ...DOCUMENT_OPTIONS,
  actual: { type: "string" },
  precision: { type: "string", default: "float32" },
  full: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** Judges one case's folder. A missing or broken result is an error of the adapter, not a pass. */
function judgeFolder(
  folder: string,
  actualRoot: string,
  precision: Precision,
  full: boolean,
): CaseVerdict | null {
  const base = { precision, rows: 0, worst: null, firstDivergence: null, kernels: null };
  let [id, module] = [folder, "(unreadable)"];
  try {
    const golden = readCase(folder);
    [id, module] = [golden.manifest.id, moduleName(golden.manifest.source)];
    if (golden.manifest.full !== full || golden.manifest.raises) return null;
    return {
      id,
      module,
      precision,
      ...judge(golden, tensorsOf(readActual(actualRoot, id), golden), precision, { taps: "locate" }),
    };
  } catch (error) {
    return {
      ...base,
      id,
      module,
      status: "errored",
      error: error instanceof Error ? error.message : String(error),
    };
  }
}

/** The tensors of a file that the case compares; others are not read. */
const tensorsOf = (file: SafetensorsFile, { manifest: { outputs, taps, grads } }: GoldenCase): Actual => {
  const prefixed = (prefix: string, list: readonly string[]) => list.map((name) => `${prefix}.${name}`);
  const names = [...prefixed("outputs", outputs), ...prefixed("taps", taps), ...prefixed("grads", grads)];
  return new Map(names.filter((name) => file.has(name)).map((name) => [name, file.get(name)]));
};

export async function conform(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(CONFORM);
    return 0;
  }
  const { actual } = values;
  if (actual === undefined)
    throw new UsageError("conform needs --actual DIR, the folder with the other implementation's tensors");
  const kind = documentKind(values);
  const precision = oneOf("precision", values.precision, PRECISIONS);
  const folders = findCases(positionals.length > 0 ? positionals : [defaultCases()]);
  const verdicts = folders
    .map((folder) => judgeFolder(folder, actual, precision, values.full))
    .filter((v) => v !== null);
  print(verdicts, kind, `The tensors in ${actual}, judged as ${precision}`);
  return exitCode(summarise(verdicts));
}
