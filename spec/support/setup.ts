// Property tests use the same examples in every run, so that failures are reproducible. FC_SEED=… selects other examples.
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.FC_SEED ?? 2204) });
