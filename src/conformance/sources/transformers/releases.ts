// Releases of transformers: 5.18.0 computes what 4.57.6 computes, under other names. Rotary embeddings have their options in
// `rope_parameters`, and GPT-NeoX calls the projection to the vocabulary `lm_head`.
import { refuse } from "../../../io/fields.ts";
import { GPTNeoXForCausalLM } from "../../../models/language-models/gpt-neox.ts";
import { type Configuration, inside } from "../../../pretrained/configurations/configuration.ts";
import { gptNeoX } from "../../../pretrained/configurations/gpt-neox.ts";
import { llama } from "../../../pretrained/configurations/llama.ts";
import type { SourceClass } from "../interface/source.ts";

export interface Release {
  readonly major: 4 | 5;
}
export const releases = {
  "transformers@4.57.6": { major: 4 },
  "transformers@5.18.0": { major: 5 },
} as const satisfies Readonly<Record<string, Release>>;

/** The fields of a model under their names in transformers 5. */
const namedIn5 = (model: object): object =>
  model instanceof GPTNeoXForCausalLM ? { gpt_neox: model.gpt_neox, lm_head: model.embed_out } : model;

/** The configuration in the names of transformers 4. */
type Renamed = NonNullable<Configuration["renamed"]>;

/** A language model of both releases, whose configuration may have `rope_parameters` in the second. */
function rotaryInBoth(language: SourceClass, renamed: Renamed): SourceClass<Release> {
  return {
    ...language,
    options: [...language.options, "rope_parameters"],
    build(config, at, context) {
      const { rope_parameters: parameters, ...others } = config;
      if (parameters === undefined) return language.build(config, at, context);
      if (context.profile.major !== 5)
        throw refuse(inside(at, "rope_parameters"), "is an option of transformers 5, not of 4");
      const { rope_parameters: _, ...members } = renamed({ ...others, rope_parameters: parameters }, at);
      return language.build(members, at, context);
    },
  };
}

/** A language model of both releases, which is stated under the names of the case's release. */
const namedInBoth = (language: SourceClass<Release>): SourceClass<Release> => ({
  ...language,
  build(config, at, context) {
    const system = language.build(config, at, context);
    return context.profile.major === 5 ? { ...system, model: namedIn5(system.model) } : system;
  },
});

/** Classes of language models, by their names in the package, in both releases. */
export const inBothReleases = (
  classes: Readonly<Record<string, SourceClass>>,
): Readonly<Record<string, SourceClass<Release>>> =>
  Object.fromEntries(
    Object.entries(classes).map(([name, one]) => {
      const { renamed } = [llama, gptNeoX].find((known) => known.name === name) ?? {};
      return [name, namedInBoth(renamed ? rotaryInBoth(one, renamed) : one)];
    }),
  );
