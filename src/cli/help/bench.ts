// The help text of `flamboyance bench`.

export const BENCH = `flamboyance bench: measures how fast the backends are on this machine

Measures the matrix product matmul(a, b), whose results are checked, and
attention over a range of shapes, and the peak of one thread; the four
examples of flamingo-pytorch's README at full size, each in a process of its
own, with their peak memory; how time grows with the length of the text and the
number of images; and the first result of a new process: loading, compiling and
running a tiny model. Every time is a median. Takes minutes.

--only memory runs a LLaMA with random weights in float32 and in bfloat16, each
in a process of its own: a pass over a text, then passes over one token, with
the peak memory of the process and what JavaScript arrays hold. It takes minutes
and about 5 GiB with the default sizes, 1.74 × 10⁹ parameters.

--only decode measures decoding with a cache, one token a step: the tokens per
second of decoders of several sizes with random weights, beside the limit of
reading all weights and the cache once a token, at the rate at which memory is
read; and the processor time of a step that hardly computes.

--only language-model measures a language model from a folder of Hugging Face
in a process of its own: reading 512 tokens at once, beside the time of the
products at the peak of all threads; decoding one token a step after them,
beside the limit of reading weights and cache once a token; the peak memory
beside the bytes of the weights; and, in new processes, the time from the start
of the process to the first token after a prompt of 16.

Options
  --backend NAME,…    reference, simd, gpu (default: all for products and
                      attention, simd for the other parts)
  --mode MODE,…       modes of gpu: webasm, cpu (default: both); webgl2, webgpu
                      and headlessgl where they run
  --threads N,…       threads of simd (default: 1 and the number of cores)
  --only PART,…       peak (always measured), matmul, attention, examples,
                      scaling, start (default: all of these), memory, decode,
                      language-model
  --example NAME      run only this example, in this process
  --layers N, --width N, --tokens N
                      sizes for memory (default: 24, 2048 and 114)
  --weights DTYPE     run only the decoder of memory with weights in float32,
                      bfloat16 or float16, in this process
  --model FOLDER      the folder for language-model; without that part, measure
                      only this folder, in this process
  --first             run only the tiny model, or the first token of --model, in
                      this process
  --quick             small shapes and few runs, to test that everything works
  --json              print one document

Exit status
  0 measured   2 a backend is missing or computed a wrong product   3 usage

Example
  flamboyance bench --backend simd --only matmul --json
`;
