// flamboyance data mix
import { dirname, isAbsolute, join, relative } from "node:path";
import { openFile, writeFile } from "#host";
import { mixed } from "../../evaluation/data/mixture.ts";
import { imagesOf, type ReadSample, withImages } from "../../evaluation/data/samples.ts";
import { LoadError } from "../../tensor/errors.ts";
import { columnsFrom, tables } from "../../terminal/table.ts";
import { readArguments, wholeOption } from "../arguments.ts";
import { paintOn, widthOn, writeError, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { openReading } from "./reading.ts";

const OPTIONS = {
  count: { type: "string" },
  seed: { type: "string", default: "1" },
  out: { type: "string" },
  stop: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

interface WeightedFile {
  readonly file: string;
  readonly weight: number;
}

/** FILE=WEIGHT. */
function weighted(text: string): WeightedFile {
  const at = text.lastIndexOf("=");
  const weight = Number(text.slice(at + 1));
  if (at > 0 && at < text.length - 1 && Number.isFinite(weight) && weight > 0)
    return { file: text.slice(0, at), weight };
  throw new UsageError(`data mix takes files with their weights, such as captions.jsonl=0.7, not "${text}"`);
}

const encoder = new TextEncoder();
const LINE_BREAK = encoder.encode("\n");

/** The line of a sample in a file of another folder, where its images have other paths. */
function movedLine({ sample, bytes }: ReadSample, from: string, to: string): Uint8Array {
  if (from === to || imagesOf(sample).every(isAbsolute)) return bytes;
  const moved = (path: string): string => (isAbsolute(path) ? path : relative(to, join(from, path)));
  return encoder.encode(withImages(sample, moved));
}

/** How often a file was drawn, and how often it has been read from its beginning. */
interface Drawn extends WeightedFile {
  samples: number;
  passes: number;
}

export function mix(args: readonly string[]): number {
  const { values, positionals } = readArguments(args, OPTIONS);
  const { count, out } = values;
  if (positionals.length < 2) throw new UsageError("data mix takes at least two files, each as FILE=WEIGHT");
  if (count === undefined || out === undefined)
    throw new UsageError("data mix needs --count N, the number of samples, and --out FILE");
  const drawn = positionals.map((text): Drawn => ({ ...weighted(text), samples: 0, passes: 0 }));
  const [most, seed] = [wholeOption("count", count, 1), wholeOption("seed", values.seed)];
  for (const { file } of drawn) openFile(file).close();
  const { leftOut, progress, samples } = openReading(values.stop);
  const draws = mixed(
    drawn.map(
      ({ file }) =>
        (): Iterator<ReadSample> =>
          samples(file, null),
    ),
    drawn.map(({ weight }) => weight),
    seed,
    (at) => {
      throw new LoadError(`${drawn[at]?.file} has no sample to draw; leave it out`);
    },
  );
  const folder = dirname(out);
  function* content(): Generator<Uint8Array, void, undefined> {
    for (let n = 0; n < most; n++) {
      const { source, pass, item } = draws.next().value;
      const one = drawn[source];
      if (!one) continue;
      Object.assign(one, { samples: one.samples + 1, passes: pass });
      yield movedLine(item, dirname(one.file), folder);
      yield LINE_BREAK;
    }
  }
  writeFile(out, content());
  progress.clear();
  if (values.json) writeJson({ out, samples: most, leftOut: leftOut.count, sources: drawn });
  else {
    const heads = ["file", "weight", "samples", "passes"].map((head) => ({ head: [head] }));
    const rows = drawn.map((one) => [one.file, String(one.weight), String(one.samples), String(one.passes)]);
    writeOut(
      `${tables(columnsFrom(heads, rows), paintOn(process.stdout), widthOn(process.stdout)).join("\n")}\n`,
    );
    writeError(leftOut.sentence);
  }
  return 0;
}
