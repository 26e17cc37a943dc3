// The control group: the definitions of floor 0, each result rounded. It has no arithmetic of its own.
import type { Precision } from "../../tensor/precision.ts";
import type { Backend } from "../backend.ts";

export const reference = (precision: Precision = "float64"): Backend => ({
  name: "reference",
  mode: null,
  threads: 1,
  precision,
  ops: {},
  scopes: {},
  ran: { matmul: 0, attention: 0 },
  close: async () => {},
});
