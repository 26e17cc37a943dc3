// flamboyance inspect: serves the built pages to this machine.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LoadError } from "../../tensor/errors.ts";
import { readArguments, wholeOption } from "../arguments.ts";
import { INSPECT } from "../help/inspect.ts";
import { writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

const OPTIONS = {
  port: { type: "string", default: "0" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};

/** The page's own files, except that ndarray compiles classes with new Function and threads start from blobs. */
const POLICY =
  "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self'; img-src 'self' data:; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/** Cross-origin isolation lets the page's threads share memory. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

interface Served {
  readonly type: string;
  readonly body: Buffer;
}

/** The folder of the built pages: beside this file in the package, or dist/ of the repository. */
function builtPage(): string {
  const folders = ["../../web/", "../../../dist/web/"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const folder = folders.find((path) => existsSync(`${path}index.html`) && existsSync(`${path}inspector.js`));
  if (folder === undefined) throw new LoadError("the pages are not built; build them with npm run build");
  return folder;
}

/** The files of a folder by address. */
function filesIn(folder: string): Map<string, Served> {
  const served = readdirSync(folder).flatMap((name): [string, Served][] => {
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    return type === undefined ? [] : [[`/${name}`, { type, body: readFileSync(join(folder, name)) }]];
  });
  const files = new Map(served);
  const index = files.get("/index.html");
  return index ? files.set("/", index) : files;
}

/** A server of the files of a folder, without any other route. */
export function pageServer(folder = builtPage()): Server {
  const files = filesIn(folder);
  return createServer(({ method, url = "/" }, answer) => {
    const file = files.get(url.replace(/[?#].*$/, ""));
    const allowed = method === "GET" || method === "HEAD";
    const status = file === undefined ? 404 : allowed ? 200 : 405;
    answer.writeHead(status, {
      "Content-Type": file?.type ?? "text/plain; charset=utf-8",
      "Content-Security-Policy": POLICY,
      ...ISOLATION,
      "Referrer-Policy": "no-referrer",
      "X-Content-Type-Options": "nosniff",
      "Cache-Control": "no-store",
    });
    answer.end(method === "HEAD" || status !== 200 ? undefined : file?.body);
  });
}

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program uses it",
  EACCES: "this account may not use it",
};

/** Listens on the loopback interface and returns the address of the page. */
export function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const reason = LISTEN_ERRORS[error.code ?? ""] ?? error.message;
      reject(new LoadError(`cannot serve on port ${port}: ${reason}; --port chooses another`));
    });
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve(`http://127.0.0.1:${typeof address === "object" ? address?.port : port}/`);
    });
  });
}

export async function inspect(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(INSPECT);
    return 0;
  }
  if (positionals.length > 0)
    throw new UsageError(`inspect takes no arguments, and was given "${positionals[0]}"`);
  const port = wholeOption("port", values.port, 0, 65_535);
  const server = pageServer();
  const address = await listen(server, port);
  const sentence = `The inspector is at ${address}\nPress Ctrl-C to stop it.\n`;
  if (values.json) writeJson({ address });
  else writeOut(sentence);
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => server.close().closeAllConnections());
  await ended;
  return 0;
}
