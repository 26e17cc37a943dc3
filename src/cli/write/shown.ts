// The lines that `flamboyance write` prints besides the text: the reason for its end, and the timings.
import { quoted } from "../../io/wording.ts";
import { counted } from "../../masks/sentences.ts";
import type { Finish } from "../../writing/write-text.ts";
import type { Rate, Timings } from "./timings.ts";

function finishText(finish: Finish, tokenOf: (id: number) => string): string {
  if (finish.reason === "end") return `the token ${quoted(tokenOf(finish.id))}`;
  if (finish.reason === "stop") return `the stop string ${quoted(finish.string)}`;
  return finish.reason === "length" ? "the greatest length" : "stopped";
}

/** "in 2.00 s: 9.5 a second" */
function rateText({ tokens, seconds }: Rate): string {
  return `in ${seconds.toFixed(2)} s${seconds > 0 ? `: ${(tokens / seconds).toFixed(1)} a second` : ""}`;
}

/** The number of all tokens, and the rate of those that are measured by themselves. */
function textRate({ prefill, decoding }: Timings, tokens: number): string {
  if (!prefill) return `${counted(tokens, "token")} ${rateText(decoding)}`;
  const later = decoding.tokens > 0 ? `, after the first ${rateText(decoding)}` : "";
  return `${counted(tokens, "token")}${later}`;
}

/** One line for each part of the time, and one for the end of the texts: "prompt   6 tokens in 0.25 s: 24.0 a second". */
export function timingLines(
  timings: Timings,
  tokens: number,
  finishes: readonly Finish[],
  tokenOf: (id: number) => string,
): string[] {
  const { loading, prefill } = timings;
  const ends = new Set(finishes.map((finish) => finishText(finish, tokenOf)));
  const rows = [
    ["loading", `${loading.toFixed(2)} s`],
    ...(prefill ? [["prompt", `${counted(prefill.tokens, "token")} ${rateText(prefill)}`]] : []),
    ["text", textRate(timings, tokens)],
    ["end", [...ends].join(", ")],
  ];
  return rows.map(([name = "", text = ""]) => `${name.padEnd(7)}  ${text}`);
}
