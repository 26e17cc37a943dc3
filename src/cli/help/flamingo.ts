// The help texts of `flamboyance caption` and `flamboyance vqa`.

const options = (more: string): string => `Options
  --model FOLDER      the model (required): an OpenFlamingo, which has
                      open-flamingo.json, a Kosmos, which has kosmos.json, or a
                      FlamingoPaLM, which has flamingo-palm.json or is a file of
                      train digits; flamboyance train smollm2-digits and train
                      kosmos-digits make one
  --language-model F  another folder of its language model
${more}  --demos PATH        demonstrations: a file with one JSON object a line, or a
                      folder that has demonstrations.jsonl
  --shots K           only the first K demonstrations
  --rices             with --shots K: the K demonstrations whose pictures are
                      most similar to the picture, the most similar one last
  --text-only         demonstrations without their pictures (zero-shot)
  --prompt TEXT       your own text in place of the prompt; <image> stands for
                      each picture, in their order
  --attend            print which picture, and which latent of it, each token
                      attended to
  --max-tokens N      tokens that are generated at most (default: 20)
  --min-tokens N      tokens before which the answer does not end (default: 0)
  --stop STRING       ends the answer before this string; may be repeated
  --seed N, --temperature T, --top-k K, --top-p P
                      draw tokens, as write does
  --repetition-penalty F, --no-repeat-ngram N
                      as write does
  --beams N           beam search with N beams; evaluations have 3
  --length-penalty F  with --beams (default: 1); evaluations have 0
  --dtype D, --backend NAME, --threads N
                      as write does
  --json              print one document, at the end
  --top K             with --json: K alternatives of each token`;

const IMAGES = `In a text <image> is a token in whose place a picture stands. In an OpenFlamingo
the text up to the next <image> sees that picture, and no other; no space
follows it: a space would be a token of its own. In a Kosmos all text behind a
picture sees it. A Kosmos has no --attend, --text-only, --dtype and
--language-model, and a FlamingoPaLM, which is given the texts of a Kosmos, none
but --attend.`;

const STATUS = `Exit status
  0 answered   2 a file or a backend cannot be used   3 usage
  130 stopped by Ctrl-C; what was written until then is printed`;

export const CAPTION = `flamboyance caption PICTURE… --model FOLDER: captions pictures

PICTURE is a PNG or JPEG file; each gets a caption of its own. The prompt is
<image>Output: as in the evaluation of open-flamingo, behind the demonstrations,
if there are any: <image>Output:CAPTION<|endofchunk|>. The caption ends there,
at the next Output, or after --max-tokens. A Kosmos is given <image>An image of,
and its caption ends at </s>, or after --max-tokens.

${IMAGES}

${options(`  --demo IMAGE=TEXT   a demonstration: a picture with its caption; may be
                      repeated, and the order is kept
`)}

A line of --demos is {"image": "cat.png", "caption": "a cat"}; pictures are
relative to the file.

${STATUS}

Example
  flamboyance caption cat.png --model flamingo --demo dog.png="a dog" --attend
`;

export const VQA = `flamboyance vqa PICTURE… --model FOLDER --question TEXT: answers questions
about pictures

PICTURE is a PNG or JPEG file; each is asked about by itself. The prompt is
<image>Question:TEXT Short answer: as in the evaluation of open-flamingo, behind
the demonstrations, if there are any. The answer ends at <|endofchunk|>, at
Question, Answer, Short or a comma with a space behind it, or after
--max-tokens. A Kosmos is given <image>Question: TEXT Answer: and its answer
ends at </s>, at Question: or Answer:, or after --max-tokens.

${IMAGES}

${options(`  --question TEXT     the question; once for all pictures, or once for each
  --demo IMAGE=TEXT   a demonstration: a picture with its answer to the same
                      question; may be repeated, and the order is kept
`)}

A line of --demos is {"image": "cat.png", "question": "What is it?", "answer":
"a cat"}; pictures are relative to the file, and without a question it is the
one of the picture.

${STATUS}

Example
  flamboyance vqa cat.png --model flamingo --question "What is in the picture?"
`;
