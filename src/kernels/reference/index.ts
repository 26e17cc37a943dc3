import { type Precision, precisionOf } from "../../tensor/precision.ts";
import type { Backend } from "../backend.ts";

/** The reference backend: no kernels of its own, so every op is its float64 definition, rounded to the precision. Throws a RuleError for an unknown precision. */
export const reference = (precision: Precision = "float64"): Backend => ({
  name: "reference",
  mode: null,
  threads: 1,
  precision: precisionOf(precision),
  ops: {},
  scopes: {},
  ran: { matmul: 0, attention: 0 },
  close: async () => {},
});
