// The help text of `flamboyance bench`.

export const BENCH = `flamboyance bench: how fast the backends are here

Measures the matrix product (the exported matmul(a, b), its result checked) and attention over a range of shapes, beside the fastest
rate that a loop in registers reaches on one thread; the four examples of flamingo-pytorch's README at full size, each in a process
of its own, with the memory it took; how time grows with the length of the text and the number of images; and the first result of
a fresh process: load, compile, run the tiny model. Medians. Minutes.

Options
  --backend NAME[,NAME]   reference, simd, gpu (default: all for products and attention, simd for the rest)
  --mode MODE[,MODE]      of gpu: webasm, cpu (default: both); webgl2, webgpu and headlessgl where they run
  --threads N[,N]         of simd (default: 1, and as many as there are cores)
  --only PART[,PART]      peak (always measured), matmul, attention, examples, scaling, start
  --example NAME          only this example, in this process
  --first                 only the first result of this process: what start takes the time of
  --quick                 small shapes and few runs: to see that it works, not how fast it is
  --json                  one document on stdout

Exit status
  0 measured   2 a backend is missing or computed a wrong product   3 usage

Example
  flamboyance bench --backend simd --only matmul --json
`;
