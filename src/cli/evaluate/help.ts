// The help text of `flamboyance evaluate`.

export const EVALUATE = `flamboyance evaluate --model PATH --task TASK --data FILE: scores a model

Tasks, and the lines of FILE
  caption  {"image": "cat.png", "caption": "a cat"}: CIDEr-D, exact match;
           captions of one image are its references
  vqa      {"image": "cat.png", "question": "How many?", "answers": ["one"]}:
           VQA accuracy, exact match, F1; a language model needs no image.
           VQA accuracy compares annotators: four answers alike make 1, one 0
  rank     {"context": "The man", "choices": ["went.", "blue."], "answer": 0}:
           accuracy, by the sum and by the mean of log-probabilities
  name     {"image": "cat.png", "caption": "cat"}: accuracy of the name that is
           generated, with the prompts of ImageNet; see --only
  iq       {"matrix": ["a.png", …], "candidates": ["d.png", …], "answer": 0}:
           Raven's test of KOSMOS-1: accuracy of the candidate after which "Yes"
           is most probable
  describe {"image": "x.png", "descriptions": ["…"], "category": "bird",
           "choices": ["…", "…"], "answer": 0}: accuracy of the names behind
           descriptions of their classes

PATH is the folder of an OpenFlamingo (open-flamingo.json), a Kosmos
(kosmos.json), a FlamingoPaLM (flamingo-palm.json) or a language model
(config.json), or a file that train digits writes, such as
golden/models/digits.safetensors. Questions for the latter are beginnings of
captions: "the digit is".
Examples that cannot be used, because a line is none or a picture is missing,
and demonstrations that --rices cannot compare, are named, left out and counted.

Options
  --shots K           demonstrations before each example (default: 0)
  --demos FILE        where they are drawn from (default: the file of --data,
                      without the example)
  --seed N            the seed of the draws (default: 1)
  --limit N           only the first N examples
  --max-tokens N      of a generated answer (default: 20)
  --beams N           answers by beam search, without a length penalty
  --out FILE          keep every answer; a run that was ended goes on there
  --text-only         demonstrations without images, for an OpenFlamingo; with
                      --shots 2 its zero-shot evaluation
  --rices             the demonstrations whose images are most similar
  --tower FOLDER      with --rices: compare by another image tower
  --orders            rank: average over orders of the demonstrations, at most 6
  --positive CHOICE   rank: the area under the ROC curve of its probability, too
  --only FILE         answers are among the names in FILE, one a line
  --chain             vqa: describe the image first, then ask (KOSMOS-1)
  --stop              end at the first example that cannot be used
  --backend NAME, --threads N
                      as write does
  --json              print one document

Exit status
  0 scored   2 a file cannot be used   3 usage   130 stopped by Ctrl-C

Example
  flamboyance evaluate --model flamboyance-smollm2-digits --task caption \\
    --data captions.jsonl --shots 2 --out captions.results.jsonl
  flamboyance evaluate --model flamboyance-kosmos-digits --task rank \\
    --data memes.jsonl --positive yes
`;
