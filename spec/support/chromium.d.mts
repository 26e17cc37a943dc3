import type { Browser, Page } from "playwright-core";

export function chromiumPath(): string | null;
export function startChromium(): Promise<Browser>;
export function bundle(entry: string): Promise<string>;
export function openPage(browser: Browser, script: string, folder?: string): Promise<Page>;
