// Held-out digits as files for `flamboyance evaluate`: pictures, captions and questions.
import { createFolder, writeFile } from "#host";
import { encodePng } from "../../../io/images/png/write.ts";
import { pictureImage } from "../../smollm2-digits/vision.ts";
import { NUMBERS } from "../captions.ts";
import type { Picture } from "../data.ts";

/** Captions of a picture, in the words of any of the models that are trained on digits. The first is that of demonstrations. */
const CAPTIONS = [
  "a #.",
  "a handwritten #.",
  "this is a #.",
  "this is a handwritten #.",
  "here is a #.",
  "i see a #.",
  "it looks like a #.",
  "the digit is #.",
];
/** A question in the words of the models that are trained on questions, and one in those of the digits' model. */
const QUESTIONS = { "questions.jsonl": "Which digit is this?", "words.jsonl": "the digit is" } as const;
/** Annotators who agree, as many as VQA accuracy needs. */
const ANNOTATORS = 4;

const lines = (all: readonly object[]): Uint8Array =>
  new TextEncoder().encode(all.map((one) => `${JSON.stringify(one)}\n`).join(""));

/** Writes `pictures`, captions.jsonl, questions.jsonl and words.jsonl into a folder. [digits.files] */
export async function writeDigits(folder: string, pictures: readonly Picture[]): Promise<void> {
  createFolder(`${folder}/pictures`);
  const all = pictures.map((picture, i) => {
    const number = NUMBERS[picture.digit] ?? "?";
    return { picture, number, image: `pictures/${i}-${number}.png` };
  });
  for (const { picture, image } of all)
    writeFile(`${folder}/${image}`, await encodePng(pictureImage(picture)));
  const captions = all.flatMap(({ number, image }) =>
    CAPTIONS.map((caption) => ({
      image,
      caption: caption.replace("a #", number === "eight" ? "an #" : "a #").replace("#", number),
    })),
  );
  writeFile(`${folder}/captions.jsonl`, lines(captions));
  for (const [name, question] of Object.entries(QUESTIONS)) {
    const asked = all.map(({ number, image }) => ({
      image,
      question,
      answers: Array.from({ length: ANNOTATORS }, () => number),
    }));
    writeFile(`${folder}/${name}`, lines(asked));
  }
}
