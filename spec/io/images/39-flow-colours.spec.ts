// Flow colours, of 39-flow-colours.md. Expected values: JOBR0/PerceiverIO_Pytorch at 64947cf (golden/export/perceiver_data.py).
import { expect, test } from "vitest";
import { colourWheel, type Flow, flowErrorImage, flowImage } from "../../../src/io/images/flow-colours.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { RuleError, ShapeError } from "../../../src/tensor/errors.ts";
import { flat, Int, Tensor } from "../../../src/tensor/tensor.ts";

const file = loadSafetensors("golden/data/perceiver-io/expected.safetensors");
const numbers = (name: string): number[] => {
  const stored = file.get(name);
  if (!(stored instanceof Tensor || stored instanceof Int)) throw new Error(`no numbers ${name}`);
  return [...(stored instanceof Int ? stored.data : flat(stored.data))];
};
function flowNamed(name: string): Flow {
  const pairs = numbers(name);
  const part = (first: number) => Float64Array.from(pairs.filter((_, i) => i % 2 === first));
  return { width: 13, height: 17, u: part(0), v: part(1) };
}

test("[flow.wheel] the wheel has the 55 colours of the source", () => {
  expect(colourWheel.flat()).toEqual(numbers("wheel"));
});

test("[flow.colours] every byte of a drawn flow is that of the source", () => {
  const { width, height, channels, data } = flowImage(flowNamed("flow"));
  expect([width, height, channels]).toEqual([13, 17, 3]);
  expect([...data]).toEqual(numbers("colours"));
});

test("[flow.clip] clipping loses displacements to the left and upwards, as in the source", () => {
  expect([...flowImage(flowNamed("flow"), { clip: 3 }).data]).toEqual(numbers("colours_clipped"));
  expect(() => flowImage(flowNamed("flow"), { clip: 0 })).toThrow(RuleError);
});

test("[flow.errors] the error image is that of the source, with and without valid pixels", () => {
  const [flow, truth] = [flowNamed("flow"), flowNamed("truth")];
  expect([...flowErrorImage(flow, truth).data]).toEqual(numbers("errors"));
  expect([...flowErrorImage(flow, truth, numbers("valid")).data]).toEqual(numbers("errors_valid"));
  expect(Math.max(...flowErrorImage(flow, flow).data)).toBe(0);
});

test("[flow.errors] flows of different sizes and flows without a displacement for each pixel are refused", () => {
  const flow = flowNamed("flow");
  expect(() => flowErrorImage(flow, { ...flow, width: 17, height: 13 })).toThrow(ShapeError);
  expect(() => flowErrorImage(flow, flow, [1])).toThrow(ShapeError);
  expect(() => flowImage({ ...flow, width: 14 })).toThrow(ShapeError);
});
