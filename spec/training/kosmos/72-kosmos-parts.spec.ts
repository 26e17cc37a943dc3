// Parameter groups and the published loss, of 72-kosmos.md. Expected values: lists written by hand, and loops over the formula.
import { describe, expect, test } from "vitest";
import { parameterNames, stateDict } from "../../../src/nn/state-dict.ts";
import { flat, int, tensor } from "../../../src/tensor/tensor.ts";
import { kosmosGroups } from "../../../src/training/kosmos/groups.ts";
import { publishedKosmosLoss } from "../../../src/training/kosmos/published-loss.ts";
import { trainable } from "../../../src/training/trainable.ts";
import { tinyKosmos } from "../../support/fixtures/training/tiny-kosmos.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { vjpEqualsFiniteDifferences } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

describe("parameter groups", () => {
  const model = tinyKosmos();
  const names = parameterNames(model);
  /** The matrices that are no weights of layers, by hand: tables, latents and their positions, and the class token. */
  const tables = [
    "clip_model.embeddings.class_embedding",
    "clip_model.embeddings.position_embedding.weight",
    "embed.weight",
    "embed_positions.weight",
    "perceive.latents",
    "perceive.media_pos_emb",
  ];

  test("[trainkosmos.groups] weights of linear layers and convolutions decay, and all else is trained without decay", () => {
    const [decaying, others] = kosmosGroups(model, names, 0.3);
    expect([decaying?.weightDecay, others?.weightDecay]).toEqual([0.3, 0]);
    expect([...(decaying?.names ?? []), ...(others?.names ?? [])].sort()).toEqual([...names].sort());
    const dimensions = (name: string) => stateDict(model).get(name)?.shape.length ?? 0;
    expect(decaying?.names.every((name) => dimensions(name) > 1)).toBe(true);
    expect(others?.names.filter((name) => dimensions(name) > 1 || name.includes("embedding")).sort()).toEqual(
      tables,
    );
    expect(decaying?.names).toContain("clip_model.embeddings.patch_embedding.weight");
    expect(kosmosGroups(model, names)[0]?.weightDecay).toBe(0.01);
  });

  test('[trainkosmos.groups] with "all" there is one group, which decays', () => {
    expect(kosmosGroups(model, names, 0.3, "all")).toEqual([{ names, weightDecay: 0.3 }]);
  });

  test("[trainkosmos.linear-alone] decoupled_optimizer finds weights of linear layers only", () => {
    const [only, ...more] = kosmosGroups(model, names, 0.1, "linear weights alone");
    expect(more).toEqual([]);
    expect(only?.weightDecay).toBe(0.1);
    const matrices = names.filter((name) => (stateDict(model).get(name)?.shape.length ?? 0) === 2);
    const linear = matrices.filter((name) => !tables.includes(name));
    expect([...(only?.names ?? [])].sort()).toEqual(linear.sort());
    expect(refusal(() => kosmosGroups(model, tables, 0.1, "linear weights alone")).rule).toBe(
      "trainkosmos.linear-alone",
    );
    const tower = trainable(model, "paper").filter((name) => name.startsWith("clip_model."));
    expect(kosmosGroups(model, tower, 0.1, "linear weights alone")[0]?.names).toHaveLength(6);
  });

  test("[options.values] other arguments are refused", () => {
    for (const [more, word] of [
      [[["a"], -1], "weightDecay"],
      [[[1]], "names"],
      [[names, 0.1, "matrices"], "grouping"],
    ] as const)
      expect(refusal(() => kosmosGroups(model, ...(more as unknown as [string[]]))).message).toContain(word);
  });
});

describe("[trainkosmos.published-loss] the published loss", () => {
  const slots = 3;
  const labels = int("b t", [
    [4, 2, 0, 1],
    [3, 3, 1, 0],
  ]);
  const logits = randomTensor<"b s n">([2, 4 + 2 + slots, 5], 3, (x) => 2 * x);
  const z = (b: number, s: number, v: number): number => flat(logits.data)[(b * 9 + s) * 5 + v] ?? 0;

  test("equals a loop over the formula: softmax over time, the first label before the image", () => {
    // Positions of the kept logits: the first token, and what follows </image>, which stands at 1 + 1 + 3.
    const kept = [0, 6, 7];
    let sum = 0;
    for (const b of [0, 1])
      for (const t of [0, 1, 2]) {
        const label = labels.flat()[b * 4 + t + 1] ?? 0;
        const total = kept.reduce((all, s) => all + Math.exp(z(b, s, label)), 0);
        sum += z(b, kept[t] ?? 0, label) - Math.log(total);
      }
    const loss = flat(publishedKosmosLoss(logits, labels, slots).data)[0];
    expect(loss).toBeCloseTo(-sum / (2 * 5), 13);
  });

  test("is small whatever is predicted: a model without any knowledge has (T − 1) log(T − 1) / V", () => {
    const flatLogits = tensor("b s n", [1, 9, 5], new Array(45).fill(0.7));
    const loss = flat(publishedKosmosLoss(flatLogits, int("b t", [[1, 2, 3, 4]]), slots).data)[0];
    expect(loss).toBeCloseTo((3 * Math.log(3)) / 5, 14); // cross-entropy would be log 5
  });

  test("its derivative is that of finite differences", () => {
    vjpEqualsFiniteDifferences(() => publishedKosmosLoss(logits, labels, slots), { logits });
  });

  test("labels that do not go with the logits are refused", () => {
    expect(refusal(() => publishedKosmosLoss(logits, labels)).message).toContain(
      "4 labels go with logits of 70 positions",
    );
    expect(refusal(() => publishedKosmosLoss(logits, int("b t", [[1], [2]]), 6)).rule).toBe(
      "trainkosmos.published-loss",
    );
    expect(refusal(() => publishedKosmosLoss(logits, labels, 0)).message).toContain("slots");
  });
});
