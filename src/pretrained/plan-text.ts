// A memory plan as lines of text.
import { written } from "../nn/options.ts";
import { checkMember } from "../tensor/given.ts";
import { printableLine } from "../terminal/width.ts";
import type { MemoryPlan } from "./memory-plan.ts";

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** Bytes in the largest unit of which there is at least one. */
function size(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return power === 0 ? `${bytes} bytes` : `${(bytes / 2 ** (10 * power)).toFixed(2)} ${UNITS[power]}`;
}

const tokens = (n: number): string => `${written(n)} ${n === 1 ? "token" : "tokens"}`;

/** "1.00 GiB in 2 files: 1,000 values in BF16, 20 in F32" */
function filesLine({ files, dtypes }: MemoryPlan): string {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const count = files.length === 1 ? "1 file" : `${files.length} files`;
  const kinds = dtypes.map(({ dtype, values }) => `${written(values)} values in ${dtype}`);
  return `${size(bytes)} in ${count}: ${kinds.join(", ")}`;
}

/** The simd backend's use of memory for the weights. */
function verdict({ simd }: MemoryPlan): string {
  if (simd.verdict === "holds") return `holds all weights; its budget for them is ${size(simd.budget)}`;
  if (simd.verdict === "streams")
    return `holds ${size(simd.held)} of the weights, and reads the others from the files for each use`;
  return `its memory of ${size(simd.memory)} is too small: plan for a shorter context or prompt`;
}

/** The plan as lines: a heading, then one line for each part of the memory. */
export function describeMemoryPlan(plan: MemoryPlan): string[] {
  checkMember(
    "describeMemoryPlan",
    { plan },
    "intermediates",
    "a plan, as memoryPlan, flamingoMemoryPlan and kosmosMemoryPlan return it",
  );
  const { cache, intermediates, texts } = plan;
  const each = texts === 1 ? "" : ` of each of ${texts} texts`;
  const rows = [
    ["on disk", filesLine(plan)],
    ["weights", `${size(plan.weights)}, the largest ${size(plan.largestWeight)}`],
    ["cache", `${size(cache.bytes)} for ${tokens(cache.context)}${each}, ${size(cache.perToken)} a token`],
    [
      "intermediates",
      `at most ${size(intermediates.bytes)} for a prompt of ${tokens(intermediates.prompt)}${each}`,
    ],
    ["in all", size(plan.total)],
    ["simd", verdict(plan)],
  ];
  const width = Math.max(...rows.map(([name = ""]) => name.length));
  return [
    `${printableLine(plan.folder)}: ${plan.model} with ${written(plan.parameters)} parameters`,
    ...rows.map(([name = "", text = ""]) => `  ${name.padEnd(width)}  ${text}`),
  ];
}
