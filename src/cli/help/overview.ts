// The text of `flamboyance --help`.

export const OVERVIEW = `flamboyance: a readable reference implementation of Flamingo, with conformance
tests and mask debugging

Usage
  flamboyance check [PATH…]             run this implementation on golden cases
  flamboyance conform --actual DIR      judge another implementation's tensors
  flamboyance cases list | show | path | copy
                                        the golden cases of this package
  flamboyance probe -- COMMAND…         find the mask convention of another
                                        implementation
  flamboyance mask "A cat: <image> …"   show which token attends to which image
  flamboyance inspect                   serve a page that draws masks
  flamboyance bench                     measure how fast the backends are
  flamboyance train digits              train a small Flamingo on digits
  flamboyance train kosmos-digits       train a small Kosmos, and a Flamingo
  flamboyance train perceiver-digits    train a small Perceiver IO on digits
  flamboyance train perceiver-flow      train a Perceiver IO to see motion
  flamboyance train smollm2-digits      teach a language model to see digits
  flamboyance digits caption PICTURE…   caption pictures of digits
  flamboyance perceiver TASK …          text, pictures, flow and video
  flamboyance write --model FOLDER TEXT continue a text with a language model
  flamboyance caption PICTURE… --model FOLDER
                                        caption pictures with an OpenFlamingo
                                        or a Kosmos
  flamboyance vqa PICTURE… --model FOLDER --question TEXT
                                        answer a question about pictures
  flamboyance evaluate --model FOLDER --task TASK --data FILE
                                        score a model on captions, questions
                                        or choices
  flamboyance data TASK …               data sets of KOSMOS-1; files of samples:
                                        check, mix and pack them
  flamboyance --version | --help | COMMAND --help

Exit status
  0 fine   1 numbers differ   2 a file, a case or a backend cannot be used
  3 usage   130 stopped by Ctrl-C   141 the reader of stdout closed the pipe

Example
  flamboyance check --precision float32 --json
`;
