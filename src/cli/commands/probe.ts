// The command `flamboyance probe`.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEnd } from "#host";
import { adapterOf } from "../../conformance/adapters/process.ts";
import { largestInputs, type ProbeShape } from "../../conformance/probe/plan.ts";
import { findConvention as probed } from "../../conformance/probe/probe.ts";
import { probeDocument } from "../../conformance/probe/report/document.ts";
import { probeText } from "../../conformance/probe/report/text.ts";
import { exitStatus, probeVerdict } from "../../conformance/probe/verdict.ts";
import { progressOn } from "../../terminal/progress.ts";
import { label } from "../../terminal/width.ts";
import { folderOption, namedConvention, readArguments, wholeOption } from "../arguments.ts";
import { PROBE } from "../help/probe.ts";
import { colourOn, widthOn, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

const OPTIONS = {
  expect: { type: "string" },
  dim: { type: "string", default: "32" },
  "media-dim": { type: "string" },
  latents: { type: "string", default: "4" },
  timeout: { type: "string", default: "120" },
  keep: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** The most bytes of one call's inputs. */
const MOST_BYTES = 2 ** 28;
/** Calls of an implementation that answers all of them, and whose rows do not depend on the batch. */
const CALLS = 8;

/** The sizes of the inputs. [probe.usage] */
function shapeIn(values: { dim: string; "media-dim"?: string | undefined; latents: string }): ProbeShape {
  const shape = {
    dim: wholeOption("dim", values.dim, 1, 65_536),
    dimMedia: wholeOption("media-dim", values["media-dim"] ?? values.dim, 1, 65_536),
    latents: wholeOption("latents", values.latents, 2, 1024),
  };
  if (shape.latents % 2 !== 0)
    throw new UsageError("--latents is an even number, because latents are spread apart in pairs"); // [probe.usage]
  const bytes = largestInputs(shape);
  if (bytes <= MOST_BYTES) return shape; // [probe.usage]
  const inMiB = (n: number): string => `${Math.ceil(n / 2 ** 20)} MiB`;
  throw new UsageError(
    `--dim ${shape.dim}, --media-dim ${shape.dimMedia} and --latents ${shape.latents} need ${inMiB(bytes)} of inputs in one call, more than the limit of ${inMiB(MOST_BYTES)}: choose smaller sizes`,
  );
}

/** The folder of --keep, or a temporary one, which is removed at the end, also where a signal ends the process. */
function workFolder(keep: string | undefined): { folder: string; remove: () => void } {
  if (keep !== undefined) {
    return { folder: folderOption("keep", keep), remove() {} };
  }
  const folder = mkdtempSync(join(tmpdir(), "flamboyance-probe-"));
  const removeAll = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  const withdraw = beforeEnd(removeAll);
  return {
    folder,
    remove: () => {
      withdraw();
      removeAll();
    },
  };
}

export async function probe(args: readonly string[]): Promise<number> {
  const { values, positionals: command } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(PROBE);
    return 0;
  }
  if (command.length === 0)
    throw new UsageError("probe needs a command: flamboyance probe -- python my_adapter.py"); // [probe.usage]
  const expect = values.expect === undefined ? null : namedConvention(values.expect);
  const shape = shapeIn(values);
  const seconds = wholeOption("timeout", values.timeout, 1, 86_400);
  const { folder, remove } = workFolder(values.keep);
  const progress = progressOn(process.stderr);
  try {
    const run = adapterOf({ command, folder, shape, seconds });
    let done = 0;
    const result = await probed(
      (call, inputs) => {
        progress.step(done, Math.max(CALLS, ++done), `${label(command.join(" "), 60)} (${call.name})`);
        return run(call, inputs);
      },
      { shape, expect },
    );
    progress.clear();
    const colour = colourOn(process.stdout);
    const width = widthOn(process.stdout);
    if (values.json) writeJson(probeDocument(result, expect));
    else writeOut(`${probeText(result, expect, { colour, width })}\n`);
    return exitStatus(probeVerdict(result, expect));
  } finally {
    progress.clear();
    remove();
  }
}
