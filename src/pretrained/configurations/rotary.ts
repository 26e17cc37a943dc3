// Rotary embeddings in configurations: transformers 4 has the base beside the other options, and `rope_scaling` for other frequencies;
// transformers 5 has all of them in `rope_parameters`.
import { type FieldLocation, object, oneOf, optional, orNull, type Read } from "../../io/fields.ts";
import type { Json, JsonObject } from "../../io/json.ts";
import type { RopeScaling } from "../../nn/positions/scaling.ts";
import { deciding, inside, numberOrDefault, readMembers, unsupported } from "./configuration.ts";

const scalingType = optional(deciding(oneOf("default", "linear", "llama3")), undefined);
/** The members of rope_scaling, whose type older configurations call `type`. */
const scalingOptions = {
  type: scalingType,
  rope_type: scalingType,
  factor: numberOrDefault,
  low_freq_factor: numberOrDefault,
  high_freq_factor: numberOrDefault,
  original_max_position_embeddings: numberOrDefault,
};

const scaling: Read<RopeScaling> = (value, at) => {
  const given = object(value, at);
  const other = Object.keys(given).find((name) => !Object.hasOwn(scalingOptions, name));
  if (other !== undefined) throw unsupported(inside(at, other), "is not supported");
  const { type, ropeType = type, ...members } = readMembers(scalingOptions, given, at);
  return { ropeType, ...members } as RopeScaling; // the model checks it
};
export const ropeScaling = optional(orNull(scaling), undefined);

/** The members of `rope_parameters` under their names in transformers 4; `names` has those of base and share. */
export const fromRopeParameters =
  (names: { readonly rope_theta: string; readonly partial_rotary_factor: string }) =>
  (config: JsonObject, at: FieldLocation): JsonObject => {
    if (config.rope_parameters === undefined || config.rope_parameters === null) return config; // [config.rotary]
    const { rope_theta, partial_rotary_factor, ...others } = object(
      config.rope_parameters,
      inside(at, "rope_parameters"),
    );
    const members: Record<string, Json> = Object.assign(Object.create(null), config);
    if (rope_theta !== undefined) members[names.rope_theta] = rope_theta;
    if (partial_rotary_factor !== undefined) members[names.partial_rotary_factor] = partial_rotary_factor;
    members.rope_scaling = Object.keys(others).length === 0 ? null : others;
    return members;
  };
