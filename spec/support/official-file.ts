// A file by the official library, and what is in it.
import type { Stored } from "../../src/io/safetensors.ts";
import { bool, flat, Int, int, Tensor, tensor, view } from "../../src/tensor/tensor.ts";

/** Written by safetensors 0.8.0 (`safetensors.torch.save`) from the tensors below. */
export const OFFICIAL = Buffer.from(
  `GAIAAAAAAAB7ImlkcyI6eyJkdHlwZSI6Ikk2NCIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cyI6WzAsMjRdfSwiZG91YmxlIjp7
ImR0eXBlIjoiRjY0Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbMjQsMzJdfSwibm9uZSI6eyJkdHlwZSI6IkY2NCIsInNo
YXBlIjpbMCwzXSwiZGF0YV9vZmZzZXRzIjpbMzIsMzJdfSwic2luZ2xlIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyXSwiZGF0
YV9vZmZzZXRzIjpbMzIsNDBdfSwiY291bnQiOnsiZHR5cGUiOiJJMzIiLCJzaGFwZSI6W10sImRhdGFfb2Zmc2V0cyI6WzQwLDQ0
XX0sImJyYWluIjp7ImR0eXBlIjoiQkYxNiIsInNoYXBlIjpbMiwyXSwiZGF0YV9vZmZzZXRzIjpbNDQsNTJdfSwiaGFsZiI6eyJk
dHlwZSI6IkYxNiIsInNoYXBlIjpbNF0sImRhdGFfb2Zmc2V0cyI6WzUyLDYwXX0sImJ5dGVzIjp7ImR0eXBlIjoiVTgiLCJzaGFw
ZSI6WzNdLCJkYXRhX29mZnNldHMiOls2MCw2M119LCJtYXNrIjp7ImR0eXBlIjoiQk9PTCIsInNoYXBlIjpbMSwzXSwiZGF0YV9v
ZmZzZXRzIjpbNjMsNjZdfX0gIP//////////////fwAAAAAAAACA/////5qZmZmZmbk/zczMPQAAwH/5////gD8AgElAgH8APgDA
/3sBAAD/BwEAAQ==`,
  "base64",
);
export const official: ReadonlyMap<string, Stored> = new Map<string, Stored>([
  ["ids", int("n", [-1, 2 ** 31 - 1, -(2 ** 31)])],
  ["double", tensor("n", [0.1])],
  ["none", new Tensor([0, 3], view(new Float64Array(0), [0, 3]))],
  ["single", tensor("n", [2], Float32Array.of(0.1, Number.NaN))],
  ["count", new Int([], Int32Array.of(-7))],
  ["brain", tensor("n k", [2, 2], Float32Array.of(1, -0, 3.140625, Infinity))],
  ["half", tensor("n", [4], Float32Array.of(1.5, -2, 65504, 2 ** -24))],
  ["bytes", int("n", [0, 255, 7])],
  ["mask", bool("b l", [[true, false, true]])],
]);

/** The numbers in row-major order. */
export const valuesOf = (stored: Stored): number[] =>
  Array.from(stored instanceof Tensor ? flat(stored.data) : stored.flat());
