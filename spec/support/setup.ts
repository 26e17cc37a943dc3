// Properties draw the same examples in every run, so that a failure can be repeated; FC_SEED=… looks elsewhere.
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.FC_SEED ?? 2204) });
