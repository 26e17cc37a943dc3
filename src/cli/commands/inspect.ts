// flamboyance inspect: serves the built page on this machine and nowhere else.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LoadError } from "../../tensor/errors.ts";
import { readArguments } from "../arguments.ts";
import { UsageError } from "../help/usage.ts";

const INSPECT = `flamboyance inspect: serves the inspector, a page that shows which token sees which image

The page is served to this computer only and needs no network. Its address holds its state, so that a link shows what you see.
A second page, speed.html, measures how fast the kernels are in the browser; served here, its threads may share memory.

Options
  --port N            a port of your choice (default: any that is free)
  --json              print {"address"} as one document instead of a sentence

Exit status
  0 it was ended   2 it could not be served   3 usage

Example
  flamboyance inspect --port 8080
`;

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

/** ndarray makes its classes with new Function, and threads run text of their own; beyond that, the page's own files and nothing else. */
const POLICY =
  "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self'; img-src 'self' data:; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/** Apart from other origins, a page's threads may share memory. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

interface Served {
  readonly type: string;
  readonly body: Buffer;
}

/** Beside this file in the package, or where the repository builds it. */
function builtPage(): string {
  const places = ["../../web/", "../../../dist/web/"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const folder = places.find(
    (place) => existsSync(`${place}index.html`) && existsSync(`${place}inspector.js`),
  );
  if (folder === undefined) throw new LoadError("the page is not built; build it with  npm run build");
  return folder;
}

/** Each file of a folder under its address. */
function filesIn(folder: string): Map<string, Served> {
  const served = readdirSync(folder).flatMap((name): [string, Served][] => {
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    return type === undefined ? [] : [[`/${name}`, { type, body: readFileSync(join(folder, name)) }]];
  });
  const files = new Map(served);
  const index = files.get("/index.html");
  return index ? files.set("/", index) : files;
}

/** Answers with the page's own files; an address names one of them or nothing. */
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

/** Listens on this machine only; the address of the page. */
export function listen(server: Server, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE" ? "another program has it" : error.message;
      reject(new LoadError(`cannot serve on port ${port}: ${taken}; --port chooses another`));
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
    process.stdout.write(INSPECT);
    return 0;
  }
  if (positionals.length > 0)
    throw new UsageError(`inspect takes no paths, and was given "${positionals[0]}"`);
  const port = Number(values.port);
  if (!/^\d{1,5}$/.test(values.port) || port > 65_535)
    throw new UsageError(`--port is a number from 0 to 65535, not "${values.port}"`);
  const server = pageServer();
  const address = await listen(server, port);
  const sentence = `The inspector is at ${address}\nCtrl-C ends it.\n`;
  process.stdout.write(values.json ? `${JSON.stringify({ address })}\n` : sentence);
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => server.close().closeAllConnections());
  await ended;
  return 0;
}
