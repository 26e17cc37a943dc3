// Runs the blocks of a page in order, in one folder, and compares what they print with what the page shows.
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { repository } from "../architecture/tree.mjs";
import type { Block } from "./blocks.ts";
import { FIXTURES, linkPackage, makeFixtures } from "./fixtures.ts";
import { typed, untyped } from "./modules.ts";
import { difference, type Form, formOf } from "./output.ts";
import { scaffolded, scaffoldOf } from "./scaffolds.ts";
import { forShell, type Ran, Session } from "./sessions.ts";
import { type Likeness, type Mode, substituted } from "./substitutions.ts";

export type Verdict = "exactly" | "shortened" | "declared" | "left to --full";

export interface Result {
  readonly block: Block;
  /** How a block that runs was run; null for other blocks. */
  readonly verdict: Verdict | null;
  readonly problem: string | null;
}

export interface Setting {
  readonly mode: Mode;
  /** An empty folder for this page. */
  readonly folder: string;
  /** The folder of `makeFolders`. */
  readonly made: string;
  /** The interpreter for blocks of Python, or null. */
  readonly python: string | null;
}

const SECONDS: Readonly<Record<Mode, number>> = { quick: 60, full: 240 };
const ORDER: readonly Likeness[] = ["equal", "other numbers", "other text"];
const lessAlike = (a: Likeness, b: Likeness): Likeness => (ORDER.indexOf(a) > ORDER.indexOf(b) ? a : b);

/** The commands of a reader's terminal. npm and pip have substitutions for all that pages do with them. */
function writeCommands(bin: string, { made, python }: Setting): void {
  const main = join(repository, "dist/cli/main.js");
  const unknown = 'echo "$(basename "$0") $*: has no substitution, and is not run by the tests" >&2; exit 99';
  const commands = {
    flamboyance: `exec "${process.execPath}" "${main}" "$@"`,
    npx: `[ "$1" = flamboyance ] || { ${unknown}; }; shift; exec "${process.execPath}" "${main}" "$@"`,
    npm: unknown,
    pip: unknown,
    git: unknown,
    node: `exec "${process.execPath}" "$@"`,
    python: python === null ? unknown : `exec "${python}" "$@"`,
    copy: `mkdir -p "$(dirname "$2")" && cp -r "${made}/$1" "$2"`,
    serve: `exec "${process.execPath}" "${join(repository, "spec/support/documents/serve.mjs")}" "$@"`,
  };
  mkdirSync(bin, { recursive: true });
  for (const [name, script] of Object.entries(commands)) {
    writeFileSync(join(bin, name), `#!/bin/bash\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
}

function environment(folder: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^npm_|^VITEST|^NODE_|^XDG_|^INIT_CWD$/.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    PATH: `${join(folder, "bin")}:${process.env.PATH}`,
    HOME: join(folder, "home"),
    NO_COLOR: "1",
  };
}

/** Whether a text names a file or folder, or a file in the folder. */
const mentions = (text: string, name: string): boolean =>
  new RegExp(`(^|[\\s"'=/])${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}($|[\\s"'/)])`, "m").test(text);

const needsPython = (text: string): boolean => /(^|[;&|]\s*|-- )(python|pip)3?\s/m.test(text);

class Page {
  readonly #setting: Setting;
  readonly #work: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #modules: readonly Block[];
  #shell: Session | null = null;
  #module: Session | null = null;
  /** Names whose contents differ from the page's, with how much outputs that depend on them differ. */
  readonly #altered = new Map<string, Likeness>();
  #last: { readonly ran: Ran; readonly prints: Likeness } | null = null;

  constructor(blocks: readonly Block[], setting: Setting) {
    this.#setting = setting;
    this.#work = join(setting.folder, "work");
    this.#env = environment(setting.folder);
    this.#modules = blocks.filter(({ role, language }) => role === "run" && /^[jt]s$/.test(language));
    for (const name of ["work", "home"]) mkdirSync(join(setting.folder, name), { recursive: true });
    writeCommands(join(setting.folder, "bin"), setting);
    linkPackage(this.#work);
    const [page = ""] = blocks.map(({ path }) => path);
    makeFixtures(page, this.#work);
    for (const one of FIXTURES.filter((fixture) => fixture.page === page && fixture.alters))
      this.#altered.set(one.path, "other text");
  }

  close(): void {
    this.#shell?.close();
    this.#module?.close();
  }

  async #sendShell(text: string): Promise<Ran> {
    this.#shell ??= new Session(this.#work, this.#env, "bash");
    const ran = await this.#shell.send(forShell(text), SECONDS[this.#setting.mode]);
    if (ran.status === null) {
      this.#shell.close();
      this.#shell = null;
    }
    return ran;
  }

  async #sendModule(): Promise<Ran> {
    if (this.#module === null) {
      const file = join(this.#work, "page.mjs");
      writeFileSync(file, await untyped(typed(this.#modules)));
      this.#module = new Session(this.#work, this.#env, process.execPath, file);
    }
    return this.#module.send("\n", SECONDS[this.#setting.mode]);
  }

  /** How alike the output is, given the names that the text mentions. */
  #likeness(text: string): Likeness {
    let likeness: Likeness = "equal";
    for (const [name, alike] of this.#altered)
      if (mentions(text, name)) likeness = lessAlike(likeness, alike);
    return likeness;
  }

  async #script(text: string): Promise<{ ran: Ran | null; verdict: Verdict; prints: Likeness }> {
    const { text: script, used, alters } = substituted(text, this.#setting.mode);
    let prints = this.#likeness(text);
    for (const { replacement } of used) prints = lessAlike(prints, replacement.prints);
    for (const name of alters) this.#altered.set(name, prints);
    if (script === null) return { ran: null, verdict: "declared", prints };
    if (needsPython(script) && this.#setting.python === null)
      return { ran: null, verdict: "left to --full", prints: "other text" };
    const isExact = used.length === 0 && prints === "equal";
    return { ran: await this.#sendShell(script), verdict: isExact ? "exactly" : "shortened", prints };
  }

  /** The problem with a block that has run, if any. */
  #failure({ comments }: Block, { status, printed }: Ran): string | null {
    const expected = Number(comments.exits ?? 0);
    if (status === expected) return null;
    const what = status === null ? "ends its process, or takes too long" : `exits with ${status}`;
    return `${what}${expected === 0 ? "" : ` in place of ${expected}`}:\n${printed}`;
  }

  async #run(block: Block): Promise<Result> {
    const { language } = block;
    const scaffold = scaffoldOf(block);
    const text = scaffolded(block);
    if (scaffold?.compiled) {
      this.#last = null;
      return { block, verdict: "declared", problem: null };
    }
    if (language === "ts" || language === "js") {
      const prints = this.#likeness(text);
      const ran = await this.#sendModule();
      this.#last = { ran, prints };
      const verdict = prints === "equal" && scaffold?.shorter === undefined ? "exactly" : "shortened";
      return { block, verdict, problem: this.#failure(block, ran) };
    }
    const script = language === "python" ? `python - <<'END_OF_BLOCK'\n${text}END_OF_BLOCK` : text;
    const { ran, verdict, prints } = await this.#script(script);
    this.#last = ran && { ran, prints };
    return { block, verdict, problem: ran && this.#failure(block, ran) };
  }

  async #output(block: Block): Promise<Result> {
    const { run, varies } = block.comments;
    let problem: string | null = null;
    if (run !== undefined) {
      const { ran, prints } = await this.#script(run);
      this.#last = ran && { ran, prints };
      problem = ran && this.#failure(block, ran);
    }
    if (problem === null && this.#last !== null && this.#last.prints !== "other text")
      problem = compared(block, this.#last.ran, this.#last.prints, formOf(varies));
    return { block, verdict: null, problem };
  }

  async visit(block: Block): Promise<Result> {
    if (block.role === "run") return this.#run(block);
    if (block.role === "output") return this.#output(block);
    if (block.role === "file" && block.file !== null) {
      const path = join(this.#work, block.file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, block.text);
    }
    return { block, verdict: null, problem: null };
  }
}

function compared(block: Block, { printed }: Ran, prints: Likeness, form: Form): string | null {
  const varies = prints === "other numbers" ? [...form.varies, "numbers"] : form.varies;
  const found = difference(block.text, printed, { varies });
  if (found === null) return null;
  return `differs from what is printed in its line ${found.line}. Shown:\n${found.shown}\nPrinted:\n${found.printed}`;
}

/** Runs the blocks of one page. A page stops at the first block that fails, because later blocks may need it. */
export async function runPage(blocks: readonly Block[], setting: Setting): Promise<Result[]> {
  const page = new Page(blocks, setting);
  const results: Result[] = [];
  try {
    for (const block of blocks) {
      const result = await page.visit(block);
      results.push(result);
      if (result.problem !== null && block.role === "run") break;
    }
  } finally {
    page.close();
  }
  return results;
}
