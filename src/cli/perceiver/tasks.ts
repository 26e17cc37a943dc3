// The tasks of `flamboyance perceiver`: files in, files and results out.
import { kindOf, listFiles, writeFile } from "#host";
import {
  classifier,
  flowModel,
  languageModel,
  SIZES,
  SOUND,
  videoModel,
} from "../../demos/perceiver/models.ts";
import {
  flowInput,
  framesOf,
  middleSquare,
  pictureInput,
  videoInput,
} from "../../demos/perceiver/pictures.ts";
import { classify, fillMasks, flowBetween, mostProbable, reconstruct } from "../../demos/perceiver/tasks.ts";
import { flowImage } from "../../io/images/flow-colours.ts";
import type { Image } from "../../io/images/image.ts";
import { encodePng } from "../../io/images/png/write.ts";
import { readImageFile } from "../../io/images/read.ts";
import { encodeWav, readWavFile } from "../../io/sound/wav.ts";
import { byteText, SPECIAL_TOKENS } from "../../io/tokenizers/byte-tokens.ts";
import { quoted } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { Tensor, view } from "../../tensor/tensor.ts";
import { folderOption } from "../arguments.ts";
import { UsageError } from "../usage-error.ts";
import { maskedIds } from "./masked-text.ts";
import type { Task, TaskContext } from "./request.ts";
import { named, type TaskResult } from "./result.ts";

type RunTask = (context: TaskContext) => Promise<TaskResult>;
const sizesOf = ({ request }: TaskContext) => (request.isSmall ? SIZES.small : SIZES.full);
const sides = ({ width, height }: { readonly width: number; readonly height: number }): string =>
  `${width}×${height}`;

async function classified(context: TaskContext): Promise<TaskResult> {
  const { request } = context;
  const [path = ""] = request.inputs;
  const image = await readImageFile(path);
  const size = sizesOf(context).classification.imgSize;
  const crop = middleSquare(image);
  const model = classifier(request, request.preparation);
  const logits = await classify(model, pictureInput(image, size), context);
  const guesses = named("imagenet-1000", mostProbable(logits));
  const { width, height } = image;
  return {
    document: { picture: { width, height }, crop, size, logits: logits.shape, classes: guesses },
    rows: [
      [
        "picture",
        `${sides(image)} pixels; the middle ${sides(crop)} of it, resized to ${size[1]}×${size[0]}`,
      ],
      ["scores", `[${logits.shape.join(" ")}]`],
    ],
    guesses: { title: "The five most probable of ImageNet's classes", named: guesses },
  };
}

async function filledIn(context: TaskContext): Promise<TaskResult> {
  const { request } = context;
  const { maxSeqLen } = sizesOf(context).language;
  const ids = maskedIds(request.inputs[0] ?? "", request.hide, maxSeqLen);
  const { predicted, text } = await fillMasks(languageModel(request), ids, maxSeqLen, context);
  const masked = byteText(ids.map((id) => (id === SPECIAL_TOKENS.mask ? 6 + 0x5f : id))); // shown as "_"
  const bytes = byteText(predicted.map(({ id }) => id));
  return {
    document: { ids, length: maxSeqLen, predicted, bytes, text },
    rows: [
      ["masked", masked],
      ["bytes", `${quoted(bytes)}, the most probable byte for each of ${predicted.length} positions`],
      ["filled", text],
    ],
    guesses: null,
  };
}

/** Throws a LoadError unless the pictures have one size, and a tile fits into it. */
function checkPair(
  names: readonly string[],
  pictures: readonly [Image, Image],
  tile: readonly [number, number],
): void {
  const [first, second] = pictures;
  if (sides(first) !== sides(second))
    throw new LoadError(
      `${names[0]} has ${sides(first)} pixels and ${names[1]} ${sides(second)}; flow needs two pictures of one size`,
    );
  if (first.height < tile[0] || first.width < tile[1])
    throw new LoadError(
      `the pictures have ${sides(first)} pixels; flow needs at least ${tile[1]}×${tile[0]}, so enlarge them${tile[0] > 96 ? ", or try --small" : ""}`,
    );
}

async function flowDrawn(context: TaskContext): Promise<TaskResult> {
  const { request } = context;
  const [name1 = "", name2 = ""] = request.inputs;
  const pictures = [await readImageFile(name1), await readImageFile(name2)] as const;
  checkPair(request.inputs, pictures, sizesOf(context).flow.imgSize);
  const [image1, image2] = [flowInput(pictures[0]), flowInput(pictures[1])];
  const { flow, tiles } = await flowBetween(flowModel(request), image1, image2, context);
  const { width, height } = pictures[0];
  const values = Float64Array.from(flow.flat());
  const [u, v] = [values.subarray(0, width * height), values.subarray(width * height)];
  const range = (x: Float64Array) =>
    [x.reduce((a, b) => Math.min(a, b)), x.reduce((a, b) => Math.max(a, b))] as const;
  if (request.out !== undefined)
    writeFile(request.out, await encodePng(flowImage({ width, height, u: u.slice(), v: v.slice() })));
  const shown = ([least, most]: readonly [number, number]): string =>
    `${least.toPrecision(3)} to ${most.toPrecision(3)} pixels`;
  return {
    document: { flow: flow.shape, tiles, u: range(u), v: range(v), out: request.out ?? null },
    rows: [
      ["pictures", `2 of ${sides(pictures[0])} pixels, ${tiles === 1 ? "1 tile" : `${tiles} tiles`}`],
      ["flow", `[${flow.shape.join(" ")}]`],
      ["right", shown(range(u))],
      ["down", shown(range(v))],
      ...(request.weights === undefined
        ? [["", "(the last layer of a model without training gives 0)"] as const]
        : []),
      ["drawn", request.out ?? "nowhere; --out flow.png draws it"],
    ],
    guesses: null,
  };
}

/** The first pictures of a folder, in the order of the numbers in their names. */
async function framesIn(folder: string, count: number): Promise<Image[]> {
  if (kindOf(folder) !== "folder")
    throw new LoadError(`${folder} is no folder; name one with the frames as PNG or JPEG files`);
  const names = listFiles(folder)
    .filter((path) => /\.(png|jpe?g)$/i.test(path))
    .sort(new Intl.Collator("en", { numeric: true }).compare);
  if (names.length < count)
    throw new LoadError(
      `${folder} has ${names.length} PNG or JPEG files; ${count} frames are needed, so add frames${count > 4 ? ", or try --small" : ""}`,
    );
  const frames: Image[] = [];
  for (const name of names.slice(0, count)) frames.push(await readImageFile(name));
  return frames;
}

/** The first channel of a sound, for so many frames. */
function samplesIn(path: string, frames: number): Float64Array {
  const { rate, channels } = readWavFile(path);
  if (rate !== SOUND.rate)
    throw new LoadError(
      `${path} has ${rate} samples a second; the model takes ${SOUND.rate}, so convert it, as with ffmpeg -i FILE -ar ${SOUND.rate} OUT.wav`,
    );
  const [first = new Float64Array(0)] = channels;
  const needed = frames * SOUND.perFrame;
  if (first.length < needed)
    throw new LoadError(
      `${path} has ${first.length} samples; ${frames} frames need ${needed} (${SOUND.perFrame} each), so give a longer sound or fewer --frames`,
    );
  return first.slice(0, needed);
}

async function autoencoded(context: TaskContext): Promise<TaskResult> {
  const { request } = context;
  const [folder = "", sound = ""] = request.inputs;
  const { imgSize, numFrames } = sizesOf(context).video;
  const { frames: count, chunks } = request;
  const [pixels, patches] = [
    numFrames * imgSize[0] * imgSize[1],
    (numFrames * SOUND.perFrame) / SOUND.perPatch,
  ];
  if (pixels % chunks !== 0 || patches % chunks !== 0)
    throw new UsageError(
      `--chunks divides ${pixels} pixels and ${patches} patches of sound; ${chunks} does not`,
    );
  const frames = await framesIn(folder, count);
  const samples = samplesIn(sound, count);
  const out = folderOption("out", request.out ?? "");
  const model = videoModel(request);
  const reconstructed = new Float64Array(samples.length);
  const scores = new Float64Array(700);
  const perGroup = numFrames * SOUND.perFrame;
  for (let group = 0; group < count / numFrames; group++) {
    const from = group * perGroup;
    const shape = [1, perGroup, 1];
    const audio = new Tensor<"b n 1">(shape, view(samples.slice(from, from + perGroup), shape));
    const images = videoInput(frames.slice(group * numFrames, (group + 1) * numFrames), imgSize);
    const { image, audio: made, label } = await reconstruct(model, images, audio, chunks, context);
    reconstructed.set(made.flat(), from);
    for (const [i, score] of label.flat().entries())
      scores[i] = (scores[i] ?? 0) + (score * numFrames) / count; // the mean of the groups, as in the source
    for (const [i, frame] of framesOf(image).entries())
      writeFile(
        `${out}/frame-${String(group * numFrames + i + 1).padStart(4, "0")}.png`,
        await encodePng(frame),
      );
  }
  writeFile(`${out}/sound.wav`, encodeWav({ rate: SOUND.rate, channels: [reconstructed] }));
  const guesses = named("kinetics-700", mostProbable(new Tensor<"b e">([1, 700], view(scores, [1, 700]))));
  const size = `${imgSize[1]}×${imgSize[0]}`;
  return {
    document: {
      image: [1, count, 3, ...imgSize],
      audio: [1, reconstructed.length, 1],
      label: [1, 700],
      chunks,
      out,
      classes: guesses,
    },
    rows: [
      [
        "video",
        `${count} frames of ${size} pixels, encoded in ${count / numFrames === 1 ? "1 group" : `${count / numFrames} groups`}, decoded in ${chunks} chunks each`,
      ],
      ["sound", `${reconstructed.length} samples of the first channel`],
      ["written", `${out}/frame-0001.png to frame-${String(count).padStart(4, "0")}.png, ${out}/sound.wav`],
    ],
    guesses: { title: "The five most probable of Kinetics-700's classes", named: guesses },
  };
}

export const RUN: Readonly<Record<Task, RunTask>> = {
  classify: classified,
  "mask-fill": filledIn,
  flow: flowDrawn,
  autoencode: autoencoded,
};
