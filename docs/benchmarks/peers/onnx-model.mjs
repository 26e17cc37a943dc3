// C = A · B as an ONNX model, written as protobuf by hand: (field << 3 | wire type), then the value.

const varint = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
const number = (field, n) => [...varint(field << 3), ...varint(n)];
const bytes = (field, content) => [...varint((field << 3) | 2), ...varint(content.length), ...content];
const text = (field, string) => bytes(field, [...new TextEncoder().encode(string)]);

const FLOAT = 1;
const IR_VERSION = 8;
const OPSET = 13;

/** ValueInfoProto: a matrix of floats. */
function matrix(name, shape) {
  const dims = shape.flatMap((n) => bytes(1, number(1, n)));
  const tensor = [...number(1, FLOAT), ...bytes(2, dims)];
  return [...text(1, name), ...bytes(2, bytes(1, tensor))];
}

export function matmulModel(m, k, n) {
  const node = [...text(1, "A"), ...text(1, "B"), ...text(2, "C"), ...text(4, "MatMul")];
  const graph = [
    ...bytes(1, node),
    ...text(2, "product"),
    ...bytes(11, matrix("A", [m, k])),
    ...bytes(11, matrix("B", [k, n])),
    ...bytes(12, matrix("C", [m, n])),
  ];
  return Uint8Array.from([...number(1, IR_VERSION), ...bytes(7, graph), ...bytes(8, number(2, OPSET))]);
}
