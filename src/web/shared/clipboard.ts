// Text for the clipboard, and a button for whatever is done on the side.
import { h } from "./dom.ts";

export const quiet = (text: string, onclick: () => void): HTMLButtonElement =>
  h("button.quiet", { type: "button", onclick }, text) as HTMLButtonElement;

/** The sentence that tells how it went: `said`, or why not. */
export async function copied(text: string, said: string): Promise<string> {
  try {
    await navigator.clipboard.writeText(text);
    return said;
  } catch {
    return "The browser does not let this page reach the clipboard.";
  }
}
