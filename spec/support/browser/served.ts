// The built pages on a server of their own, and a browser, for the tests of one file.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { listen, pageServer } from "../../../src/cli/commands/inspect.ts";
import { openBrowser } from "./page.ts";

export interface Served {
  readonly browser: Browser;
  /** The address of the mask page, with a slash at its end. */
  readonly base: string;
}

/** Starts both before the first test of the file that calls this, and ends them after the last one. */
export function servedPages(): Served {
  const server = pageServer();
  const served = {} as { -readonly [K in keyof Served]: Served[K] };
  beforeAll(async () => {
    served.base = await listen(server, 0);
    served.browser = await openBrowser();
  });
  afterAll(async () => {
    await served.browser?.close();
    server.close().closeAllConnections();
  });
  return served;
}
