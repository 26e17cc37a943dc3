// For a page: `check` of a port on a case that is given as the bytes of its files.
import { check, type PortCase } from "../../../src/entries/conformance.ts";
import { messageOf } from "../../../src/tensor/errors.ts";

/** SwiGLU as a loop: SiLU of one half of each row, times the other. flamingo-pytorch has the second half as the gate. */
function swiglu({ inputs: { x } }: PortCase, gateFirst: boolean): Float32Array {
  if (!x) throw new Error("the case has no x");
  const width = (x.shape.at(-1) ?? 0) / 2;
  return Float32Array.from({ length: x.data.length / 2 }, (_, i) => {
    const at = 2 * width * Math.floor(i / width) + (i % width);
    const [first = 0, second = 0] = [x.data[at], x.data[at + width]];
    const [gate, value] = gateFirst ? [first, second] : [second, first];
    return (gate / (1 + Math.exp(-gate))) * value;
  });
}

export interface CheckedInPage {
  readonly passed: boolean;
  readonly document: unknown;
  readonly text: string;
  readonly mistake: string | null;
}

export async function checkedInPage(
  base64: Readonly<Record<string, string>>,
  gateFirst: boolean,
): Promise<CheckedInPage> {
  const bytes = (text: string) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const files = Object.fromEntries(Object.entries(base64).map(([name, text]) => [name, bytes(text)]));
  const report = await check((one) => swiglu(one, gateFirst), { cases: [files as never] });
  const [one] = report.cases;
  return {
    passed: report.passed,
    document: JSON.parse(JSON.stringify(report)),
    text: `${report}`,
    mistake: one?.mistake?.id ?? null,
  };
}

/** The message of `check` for the name of a case, which a page cannot find. */
export const refusedName = (name: string): Promise<string> =>
  check(() => [], { cases: name }).then(() => "", messageOf);
