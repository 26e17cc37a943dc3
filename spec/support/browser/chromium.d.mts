import type { Browser, Page } from "playwright-core";

export function chromiumPath(): string | null;
export function startChromium(options?: { readonly real?: boolean }): Promise<Browser>;
export function bundle(entry: string): Promise<string>;
export function openPage(
  browser: Browser,
  script: string,
  options?: { readonly folder?: string; readonly isolated?: boolean },
): Promise<Page>;
