// The blocks of TypeScript and JavaScript of a page as one module, in which each block waits until it is its turn.
import { parseSync, transformWithOxc } from "vite";
import type { Block } from "./blocks.ts";
import { scaffolded, scaffoldOf } from "./scaffolds.ts";
import { END } from "./sessions.ts";

const PRELUDE = `import { createInterface as __lines } from "node:readline";
const __turns = __lines({ input: process.stdin })[Symbol.asyncIterator]();
const __end = () => process.stdout.write(${JSON.stringify(`\n${END} 0\n`)});
`;

/** The import declarations of a block, and the block with blanks in their places. */
function withoutImports(text: string): { imports: string[]; body: string } {
  const imports: string[] = [];
  let body = text;
  for (const node of parseSync("block.ts", text).program.body)
    if (node.type === "ImportDeclaration") {
      const { start, end } = node;
      imports.push(text.slice(start, end));
      body = body.slice(0, start) + body.slice(start, end).replace(/[^\n]/g, " ") + body.slice(end);
    }
  return { imports, body };
}

/** One declaration for each imported name: several blocks may import the same one. */
function merged(imports: readonly string[]): string {
  const names = new Map<string, Set<string>>();
  const others = new Set<string>();
  for (const text of imports) {
    const [, list = "", from] = /^import \{([^}]*)\} from ("[^"]+")/.exec(text) ?? [];
    if (from === undefined) others.add(text);
    else {
      const known = names.get(from) ?? new Set();
      names.set(from, known);
      for (const name of list.split(",").map((one) => one.trim())) if (name !== "") known.add(name);
    }
  }
  const lists = [...names].map(([from, known]) => `import { ${[...known].join(", ")} } from ${from};`);
  return [...others, ...lists].join("\n");
}

/** The module, with types. A block may use what the blocks before it declare, and may declare the same names again. */
export function typed(blocks: readonly Pick<Block, "path" | "text">[], compiled = false): string {
  const parts = blocks
    .filter((block) => compiled || scaffoldOf(block)?.compiled !== true)
    .map((block) => withoutImports(scaffolded(block)));
  const head = `${merged(parts.flatMap(({ imports }) => imports))}\n`;
  const body = parts.map(({ body }) => `{\nawait __turns.next();\n${body}\n__end();\n`).join("");
  return `${PRELUDE}${head}${body}${"}".repeat(parts.length)}\nprocess.stdin.destroy();\n`;
}

/** The module as JavaScript. */
export const untyped = async (source: string): Promise<string> =>
  (await transformWithOxc(source, "page.ts", { lang: "ts", sourcemap: false })).code;
