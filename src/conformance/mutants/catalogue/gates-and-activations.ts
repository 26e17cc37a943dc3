// Gates and nonlinearities: mutants 21–24.
import { geluTanh, quickGelu, silu } from "../../../nn/activations.ts";
import {
  add,
  addScalar,
  cos,
  div,
  exp,
  gelu,
  mul,
  mulScalar,
  neg,
  sigmoid,
  sin,
  sqrt,
  square,
  tanh,
} from "../../../tensor/ops/functions.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { type Change, type Context, changing, type Mutant } from "../mutant.ts";
import { type Found, nodesOf, operandOf, userOf } from "../pattern-matchers.ts";
import { type Gate, gates } from "./flamingo-parts.ts";

type Shared = (other: "attn_gate" | "ff_gate") => Tensor;

/** Another function of the gates' parameters. */
const gating = (change: (alpha: Tensor, gate: Gate, of: Shared) => Tensor, which = /./) =>
  changing(({ program }) => {
    const all = gates(program);
    return all
      .filter(({ name }) => which.test(name))
      .map(
        (gate): Change => [
          gate.tanh,
          (alpha, _, at) =>
            change(alpha, gate, (name) =>
              at(all.find((g) => g.path === gate.path && g.name === name)?.leaf ?? -1),
            ),
        ],
      );
  });

/** Replaces every exact GELU by another function. */
const activating = (change: (x: Tensor) => Tensor) =>
  changing(({ program }) => nodesOf(program, "gelu").map(({ id }): Change => [id, change]));

/** The products x sigmoid(c x + …) that approximate GELU: c is 1.702, or 2 √(2/π) for the one by tanh. */
const approximations = ({ program }: Context): Found<"mul">[] =>
  nodesOf(program, "sigmoid").flatMap(({ id, node }) => {
    const slope = operandOf(program, "mulScalar", node.inputs[0])?.attrs.by ?? 1;
    const product = userOf(program, "mul", id);
    return slope > 1.59 && product ? [product] : [];
  });

const one = (x: Tensor): Tensor => addScalar(mulScalar(x, 0), 1);
const absolute = (x: Tensor): Tensor => sqrt(square(x));
/** (x + √x²) / 2 */
const relu = (x: Tensor): Tensor => mulScalar(add(x, absolute(x)), 0.5);

/** (x + |x| erf(|x|/√2)) / 2 with Abramowitz and Stegun's 7.1.26 for erf: 1 − t(a₁ + t(a₂ + …)) e^(−x²), t = 1/(1 + px) */
function geluRational(x: Tensor): Tensor {
  const size = absolute(x);
  const u = mulScalar(size, Math.SQRT1_2);
  const t = div(one(u), addScalar(mulScalar(u, 0.3275911), 1));
  const coefficients = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const series = coefficients.reduce((sum, a) => mul(addScalar(sum, a), t), mulScalar(t, 0));
  const erf = addScalar(neg(mul(series, exp(neg(square(u))))), 1);
  return mulScalar(add(x, mul(size, erf)), 0.5);
}

export const gatesAndActivations: readonly Mutant[] = [
  {
    id: "gate-tan",
    number: 21,
    title: "The attention's gate is tan α",
    seenIn: "flamingo-pytorch before commit 55842c0 (#2)",
    needs: "gates away from 0",
    apply: gating((alpha) => div(sin(alpha), cos(alpha)), /attn/),
  },
  {
    id: "gate-raw",
    number: 22,
    title: "The gates are α without tanh",
    seenIn: "ports",
    needs: "gates beyond ±0.5",
    apply: gating((alpha) => alpha),
  },
  {
    id: "gate-sigmoid",
    number: 22,
    title: "The gates are sigmoid α",
    seenIn: "ports",
    needs: "a block",
    apply: gating((alpha) => sigmoid(alpha)),
  },
  {
    id: "gate-shared",
    number: 22,
    title: "The feed-forward has the attention's gate",
    seenIn: "ports",
    needs: "unequal gates",
    apply: gating((_, __, of) => tanh(of("attn_gate")), /ff/),
  },
  {
    id: "gate-missing",
    number: 22,
    title: "There are no gates",
    seenIn: "ports",
    needs: "a block",
    apply: gating((alpha) => one(alpha)),
  },
  {
    id: "gelu-tanh",
    number: 23,
    title: "GELU by its tanh approximation",
    seenIn: "goodfire-ai/spd #624, tinygrad #16162, candle #900; jax.nn.gelu by default",
    needs: "a feed-forward, and a tolerance below 1e-5",
    apply: activating(geluTanh),
  },
  {
    id: "gelu-quick",
    number: 23,
    title: "GELU as x sigmoid 1.702x",
    seenIn: "open_clip #771, #970, timm #2031, nobuco #9",
    needs: "a feed-forward",
    apply: activating(quickGelu),
  },
  {
    id: "gelu-rational",
    number: 23,
    title: "GELU with erf by Abramowitz and Stegun's formula 7.1.26",
    seenIn: "runtimes without erf",
    needs: "nothing: it is equivalent",
    apply: activating(geluRational),
    equivalent: {
      proof:
        "its erf is off by at most 1.5e-7, so GELU by 7.5e-8 of x; no tolerance is below 8 · 4 · 2⁻²⁴ = 1.9e-6",
      where: null,
    },
  },
  {
    id: "gelu-exact",
    number: 23,
    title: "GELU with erf where the model has an approximation: by tanh, or x sigmoid 1.702x",
    seenIn: "CTranslate2 #1658, kyutai-labs/pocket-tts #278; timm #1754, mindone #225",
    needs: "a model with an approximation, such as CLIP or GPT-J",
    apply: changing((context) => approximations(context).map(({ id }): Change => [id, (x) => gelu(x)])),
  },
  {
    id: "silu",
    number: 24,
    title: "SiLU in GELU's place",
    seenIn: "candle #3745, togethercomputer/stripedhyena #9",
    needs: "a feed-forward",
    apply: changing((context) =>
      [...nodesOf(context.program, "gelu"), ...approximations(context)].map(({ id }): Change => [id, silu]),
    ),
  },
  {
    id: "relu",
    number: 24,
    title: "ReLU in GELU's place",
    seenIn: "IDEFICS' resampler",
    needs: "a feed-forward",
    apply: activating(relu),
  },
  {
    id: "relu-squared",
    number: 24,
    title: "Squared ReLU in GELU's place",
    seenIn: "the paper's own resampler, flamingo-mini's options",
    needs: "a feed-forward",
    apply: activating((x) => square(relu(x))),
  },
];
