// The help text of `flamboyance write`.

export const WRITE = `flamboyance write --model FOLDER PROMPT…: writes text with a model

FOLDER is a model folder of Hugging Face: config.json, weights (.safetensors or
.bin) and tokenizer.json. In a clone of the repository, npm run fetch:smollm2
makes one. The text is printed as its tokens are chosen, and how fast it was at
the end, on stderr. It ends at the end token of the folder, a stop string or
--max-tokens. PROMPT - is stdin, without its last line break. Several prompts
are one batch, whose texts are printed when all have ended.

The most probable token is chosen, unless --seed, --temperature, --top-k or
--top-p is given: then tokens are drawn. The folder's own defaults of sampling
(generation_config.json) are not applied.

Options
  --model FOLDER      the model (required)
  --chat              the prompt is a user's message, and the text an answer, in
                      the form of the folder's chat template
  --system TEXT       with --chat: the system message
  --max-tokens N      tokens that are generated at most (default: 256)
  --min-tokens N      tokens before which the text does not end (default: 0)
  --stop STRING       ends the text before this string; may be repeated
  --seed N            draw tokens, with this seed (default with one of the next
                      three: 1)
  --temperature T     sharper below 1, flatter above (default: 1)
  --top-k K           draw only among the K most probable tokens
  --top-p P           draw only among the most probable tokens whose
                      probabilities sum to P
  --repetition-penalty F
                      above 1, tokens of the text become less probable
  --no-repeat-ngram N no sequence of N tokens occurs twice
  --beams N           beam search with N beams; the text is printed at its end
  --length-penalty F  with --beams: above 0 favours longer texts (default: 1)
  --dtype D           keep the weights in bfloat16, float16, float32 or float64
                      (default: as the files have them)
  --backend NAME      auto (default: simd where it runs, else reference), simd,
                      which computes in float32, or reference, in float64
  --threads N         threads of simd (default: the number of cores)
  --plan              print the memory that is needed, and end
  --json              print one document, at the end: texts, token ids, their
                      log-probabilities, why each text ended, and timings
  --top K             with --json: K alternatives of each token

Exit status
  0 written   2 a file or a backend cannot be used   3 usage
  130 stopped by Ctrl-C; what was written until then is printed

Example
  flamboyance write --model smollm2 --chat "What is a flamingo?"
`;
