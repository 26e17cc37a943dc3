// The help text of `flamboyance data`.

export const DATA = `flamboyance data TASK …: data sets, and files of samples

Tasks
  list                the data sets of KOSMOS-1: the table of Kosmos-X's README,
                      26 rows, letter for letter
  show NAME           one of them, with a note where a link or size is doubtful
  check FILE…         count the samples of files, and name lines that are none
  mix FILE=WEIGHT…    draw samples of several files by weight
  pack FILE…          put texts into sequences of token ids of one length

A file has a JSON object on each line:
  {"text": "A text."}
  {"image": "cat.png", "caption": "a cat"}
  {"segments": ["This is ", {"image": "walle.png"}, {"text": "."}]}
  {"image": "cat.png", "question": "How many?", "answers": ["one", "1"]}
  {"context": "The man", "choices": ["went.", "blue."], "answer": 0}
Files are read line by line, and may be larger than memory. Lines that are no
samples are named and left out; --stop ends the command at the first one.

Options
  --role ROLE         list: only pretrain-text, pretrain-caption,
                      pretrain-interleaved or eval
  --kind KIND         check: only text, caption, document, question, choice,
                      matrix or description; may be repeated
  --decode            check: decode all pictures, not only look for them
  --problems N        check: how many bad lines of each file are named, also in
                      the document; at most 100000 (default: 20). All are
                      counted.
  --count N           mix: how many samples
  --seed N            mix: the seed of the draws (default: 1)
  --tokenizer FOLDER  pack: the folder of a model, with tokenizer.json, or a
                      .model file
  --length N          pack: the most ids of a sequence (default: 2048)
  --out FILE          mix, pack: where the result is written
  --stop              end at the first line that is no sample
  --json              print one document

Exit status
  0 done   2 a file cannot be used, or check has found a bad line   3 usage

Example
  flamboyance data show coco-captions
  flamboyance data mix captions.jsonl=0.7 texts.jsonl=0.3 --count 1000 \\
    --out mixed.jsonl
`;
