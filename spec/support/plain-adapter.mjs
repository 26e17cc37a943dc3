// A probe's adapter in plain JavaScript, without a line of this project: masked attention by three nested loops.
//     node plain-adapter.mjs [what goes wrong] --case DIR --out DIR
import { readFileSync, writeFileSync } from "node:fs";

const args = process.argv.slice(2);
const after = (name) => args[args.indexOf(name) + 1];
const [wrong] = args[0] === "--case" ? [""] : args;
const [from, to] = [after("--case"), after("--out")];

const bytes = readFileSync(`${from}/inputs.safetensors`);
const length = Number(bytes.readBigUInt64LE(0));
const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
function read(name) {
  const { dtype, shape, data_offsets } = header[name];
  const [begin, end] = data_offsets.map((at) => at + 8 + length);
  const own = Uint8Array.from(bytes.subarray(begin, end));
  return { shape, data: dtype === "F32" ? new Float32Array(own.buffer) : own };
}
function write(tensors) {
  let at = 0;
  const entries = Object.entries(tensors).map(([name, { shape, data }]) => {
    const begin = at;
    at += data.byteLength;
    return [name, { dtype: "F32", shape, data_offsets: [begin, at] }];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  const parts = Object.values(tensors).map(({ data }) => Buffer.from(data.buffer));
  writeFileSync(`${to}/outputs.safetensors`, Buffer.concat([size, text, ...parts]));
}

/** Each row is a softmax over the latents of the last image at or before it. */
function attend(x, media, located) {
  const [b, l, d] = x.shape;
  const [, m, r] = media.shape;
  const out = new Float32Array(b * l * d);
  for (let i = 0; i < b; i++) {
    let seen = 0;
    for (let j = 0; j < l; j++) {
      seen += located ? located.data[i * l + j] : 0;
      if (located && (seen === 0 || seen > m)) continue;
      const keys = Array.from({ length: m * r }, (_, k) => k).filter(
        (k) => !located || Math.floor(k / r) === seen - 1,
      );
      const at = (k) => (i * m * r + k) * d;
      const dot = (k) =>
        Array.from({ length: d }, (_, f) => x.data[(i * l + j) * d + f] * media.data[at(k) + f]);
      const scores = keys.map((k) => Math.exp(dot(k).reduce((a, v) => a + v, 0) / (4 * d)));
      const sum = scores.reduce((a, v) => a + v, 0);
      keys.forEach((k, n) => {
        for (let f = 0; f < d; f++) out[(i * l + j) * d + f] += (scores[n] / sum) * media.data[at(k) + f];
      });
    }
  }
  return { shape: x.shape, data: out };
}

const { passes } = JSON.parse(readFileSync(`${from}/case.json`, "utf8"));
const [x, media] = [read("inputs.x"), read("inputs.media")];
const located = header["inputs.media_locations"] ? read("inputs.media_locations") : null;
const count = (i) => located.data.subarray(i * 8, i * 8 + 8).reduce((a, v) => a + v, 0);

if (wrong === "nothing") process.exit(0);
if (wrong === "throws") throw new Error("no such layer\u001b[31m");
if (wrong === "hangs") setInterval(() => {}, 1000);
else if (wrong === "garbage") writeFileSync(`${to}/outputs.safetensors`, "these are no tensors");
else if (wrong === "bad adapter.json") writeFileSync(`${to}/adapter.json`, "{");
else if (wrong === "skips all") writeFileSync(`${to}/adapter.json`, '{"skipped": "not today"}');
else if (
  wrong === "strict" &&
  located &&
  Array.from({ length: x.shape[0] }, (_, i) => count(i)).some((n) => n !== 3)
) {
  throw new Error("3 images, but not 3 image tokens");
} else if (passes) writeFileSync(`${to}/adapter.json`, '{"skipped": "no cache"}');
else {
  const out = attend(x, media, located);
  if (wrong === "shape") out.shape = [x.shape[0], x.shape[1] * x.shape[2]];
  if (wrong === "zeros") out.data.fill(0);
  if (wrong === "dropout") for (let i = 0; i < out.data.length; i++) out.data[i] *= Math.random();
  if (wrong === "deaf") out.data.set(x.data);
  write(wrong === "name" ? { result: out } : { out });
}
