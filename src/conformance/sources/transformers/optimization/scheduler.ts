// get_scheduler of transformers: the factors of the learning rate at the first steps.
import { between, integer, length, oneOf, optional, orNull, type Read } from "../../../../io/fields.ts";
import { Tensor, view } from "../../../../tensor/tensor.ts";
import { TRANSFORMERS_SCHEDULES, transformersSchedule } from "../../../../training/transformers-schedules.ts";
import { procedureClass, type SourceClass } from "../../interface/source.ts";

/** The most factors that a case may ask for. */
const MOST = 2 ** 20;
const name: Read<(typeof TRANSFORMERS_SCHEDULES)[number]> = oneOf(...TRANSFORMERS_SCHEDULES);
/** None in the package, where the schedule has no use for it. */
const count = optional((value, at) => orNull(length)(value, at) ?? undefined, undefined);

export const getScheduler: SourceClass = procedureClass({
  options: {
    name,
    num_warmup_steps: count,
    num_training_steps: count,
    steps: between(integer, 0, MOST),
  },
  call: [],
  build: ({ steps, ...options }) => ({ steps, factor: transformersSchedule(options) }),
  async run({ steps, factor }) {
    const factors = Float64Array.from({ length: steps }, (_, step) => factor(step));
    return { factors: new Tensor([steps], view(factors, [steps])) }; // [conform.run]
  },
});
