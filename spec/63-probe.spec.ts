// The executable half of 63-probe.md.
import { expect, test } from "vitest";
import { conventions } from "../src/masks/convention.ts";
import { tellingPrompt } from "../src/masks/difference.ts";
import { GatedCrossAttentionBlock } from "../src/blocks/gated-cross-attention-block.ts";
import { MaskedCrossAttention } from "../src/blocks/masked-cross-attention.ts";
import { probe } from "../src/conformance/probe.ts";
import { blockAdapter } from "./support/probe-adapters.ts";

const shape = { dim: 12, dimMedia: 12, latents: 4 };
for (const convention of Object.values(conventions))
  for (const level of ["attention", "block", "tapped"] as const)
    test(`${convention.name} ${level}`, async () => {
      const result = await probe(blockAdapter(level, convention), { shape });
      console.log(level, convention.name, "=>", result.measured.kind, result.exact.map((c) => c.name).join(", "), result.mistakes.map((m) => `${m.mistake?.number} ${m.convention.name}`).join("; "), result.cached, result.withoutLocations, result.refused);
      expect(result.exact.map((c) => c.name)).toContain(convention.name);
    });
