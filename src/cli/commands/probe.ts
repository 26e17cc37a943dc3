// The command `flamboyance probe`.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adapterOf } from "../../conformance/adapters/process.ts";
import { probeDocument } from "../../conformance/probe/document.ts";
import { probe as probed } from "../../conformance/probe/probe.ts";
import { probeText } from "../../conformance/probe/text.ts";
import { verdictOf } from "../../conformance/probe/verdict.ts";
import { progressOn } from "../../terminal/progress.ts";
import { namedConvention, readArguments, wholeOption } from "../arguments.ts";
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

export async function probe(args: readonly string[]): Promise<number> {
  const { values, positionals: command } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(PROBE);
    return 0;
  }
  if (command.length === 0)
    throw new UsageError("probe needs a command: flamboyance probe -- python my_adapter.py"); // [probe.usage]
  const expect = values.expect === undefined ? null : namedConvention(values.expect);
  const dim = wholeOption("dim", values.dim, 1, 65_536);
  const shape = {
    dim,
    dimMedia: wholeOption("media-dim", values["media-dim"] ?? values.dim, 1, 65_536),
    latents: wholeOption("latents", values.latents, 2, 1024),
  };
  if (shape.latents % 2 !== 0)
    throw new UsageError("--latents is an even number, because latents are spread apart in pairs"); // [probe.usage]
  const seconds = wholeOption("timeout", values.timeout, 1, 86_400);
  const folder = values.keep ?? mkdtempSync(join(tmpdir(), "flamboyance-probe-"));
  mkdirSync(folder, { recursive: true });
  const progress = progressOn(process.stderr);
  try {
    const run = adapterOf({ command, folder, shape, seconds });
    let done = 0;
    const result = await probed(
      (call, inputs) => {
        progress.step(done++, 3, `${command.join(" ")} (${call.name})`);
        return run(call, inputs);
      },
      { shape, expect },
    );
    progress.clear();
    const colour = colourOn(process.stdout);
    const width = widthOn(process.stdout);
    if (values.json) writeJson(probeDocument(result, expect));
    else writeOut(`${probeText(result, expect, { colour, width })}\n`);
    return verdictOf(result, expect).status === "followed" ? 0 : 1; // [probe.exit]
  } finally {
    progress.clear();
    if (values.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
}
