// The classes of Pillow and torchvision, of 64-sources.md. What they compute is in the golden cases.
import { expect, test } from "vitest";
import type { Inputs } from "../../../src/conformance/sources/interface/arguments.ts";
import { systemUnderTest } from "../../../src/conformance/sources/registry.ts";
import type { JsonObject } from "../../../src/io/json.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { Int, Tensor } from "../../../src/tensor/tensor.ts";

const PROFILES = { pillow: "pillow@13.0.0", torchvision: "torchvision@0.28.0" } as const;

const system = (name: keyof typeof PROFILES, type: string, config: JsonObject) =>
  systemUnderTest({
    id: "case",
    source: { package: name, class: type },
    config,
    profile: PROFILES[name],
    call: new Map([["image", "image"]]),
  });
const composed = (...transforms: JsonObject[]) => system("torchvision", "Compose", { transforms });
const image = (shape: readonly number[], first = 0): Inputs => ({
  image: new Int(
    [...shape],
    Int32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i || first),
  ),
});
const crop = { class: "CenterCrop", size: 1 };

test("[conform.run] images come out as integers h w c, tensors as floats c h w", async () => {
  const out = async (...transforms: JsonObject[]) =>
    (await composed(...transforms).run?.(image([1, 3, 3]), reference()))?.out;
  const cropped = await out(crop);
  expect(cropped).toBeInstanceOf(Int);
  expect([cropped?.shape, [...((cropped as Int).flat() ?? [])]]).toEqual([
    [1, 1, 3],
    [3, 4, 5],
  ]);
  const tensor = await out(crop, { class: "ToTensor" });
  expect(tensor).toBeInstanceOf(Tensor);
  expect(tensor?.shape).toEqual([3, 1, 1]);
});

test("[conform.run] samples beyond bytes and other numbers of channels are refused", async () => {
  const run = (inputs: Inputs) => composed(crop).run?.(inputs, reference());
  await expect(run(image([2, 2, 1], 256))).rejects.toThrow(/samples from 0 to 255/);
  await expect(run(image([2, 2, 1], -1))).rejects.toThrow(/samples from 0 to 255/);
  await expect(run(image([2, 2, 2]))).rejects.toThrow(/1 or 3 channels/);
});

const normalize = { class: "Normalize", mean: [0], std: [1] };
test.each<[string, JsonObject[], RegExp]>([
  ["a crop after ToTensor", [{ class: "ToTensor" }, crop], /has to end with ToTensor/],
  ["two normalisations", [{ class: "ToTensor" }, normalize, normalize], /has to end with ToTensor/],
  ["Normalize without ToTensor", [normalize], /is out of order/],
  ["another transform", [{ class: "RandomCrop", size: 2 }], /has to be Resize or CenterCrop or/],
  ["an option of none", [{ class: "ToTensor", dtype: "float32" }], /has no option "dtype"/],
  ["another option of Resize", [{ class: "Resize", size: 2, max_size: 9 }], /has no option "max_size"/],
  ["a side of 0", [{ class: "Resize", size: 0 }], /must be between 1 and 65536/],
  ["three sides", [{ class: "CenterCrop", size: [1, 2, 3] }], /has to be two sides/],
  [
    "another filter",
    [{ class: "Resize", size: 2, interpolation: "NEAREST" }],
    /has to be BOX or BILINEAR or/,
  ],
])("[conform.options] %s is refused", (_, transforms, reason) => {
  expect(() => composed(...transforms)).toThrow(reason);
});

test("[conform.options] a resize needs a size and a filter of Pillow", () => {
  expect(() => system("pillow", "resize", { size: [2, 3] })).toThrow(/resample.*is missing/);
  expect(() => system("pillow", "resize", { size: [2], resample: "BOX" })).toThrow(/has to be two sides/);
});
