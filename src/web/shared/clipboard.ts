// Copying to the clipboard, and the button for secondary actions.
import { h } from "./dom.ts";

export const quietButton = (text: string, onclick: () => void): HTMLButtonElement =>
  h("button.quiet", { type: "button", onclick }, text) as HTMLButtonElement;

/** Copies a text and returns a message on the result: `message` on success, otherwise the reason of the failure. */
export async function copyText(text: string, message: string): Promise<string> {
  try {
    await navigator.clipboard.writeText(text);
    return message;
  } catch {
    return "The browser does not allow this page to write to the clipboard.";
  }
}
