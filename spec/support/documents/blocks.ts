// The fenced code blocks of a document, each with its role: CONTRIBUTING.md, "Examples in documents".

/** How a block is checked. A `source` equals code that it quotes; an `output` is what the block before it, or its `run` comment, prints. */
export type Role = "run" | "file" | "output" | "source" | "illustration";

export interface Block {
  readonly path: string;
  /** The line of the opening fence, counted from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  readonly role: Role;
  /** The comments directly above the fence, such as `<!-- varies: times -->`, by name. */
  readonly comments: Readonly<Record<string, string>>;
  /** The name of the file, where the role is `file`. */
  readonly file: string | null;
}

export interface Document {
  readonly blocks: readonly Block[];
  /** Blocks without a verdict, and other faults, as sentences that begin with path and line. */
  readonly problems: readonly string[];
}

export const RUN_LANGUAGES = ["sh", "ts", "js", "python"] as const;
const OUTPUT_LANGUAGES = ["", "text", "json"];
const COMMENTS = ["source", "file", "run", "varies", "exits", "illustration"];

/** Fences may be indented, in a list or in a quotation. */
const FENCE = /^(?:[ >]|[-*+] |\d+[.)] )*(`{3,}|~{3,})\s*([^`]*)$/;
const COMMENT = /^<!-- ([a-z]+)(?:: (.*?))? -->$/;
/** A comment that holds a file's name and nothing else. */
const FILE_NAME = /^(?:#|\/\/) ([\w-]+(?:\/[\w.-]+)*\.[a-z]+)$/;
const LIST = /^\s*(?:[-*+]|\d+[.)]) /;

interface Fenced {
  readonly line: number;
  readonly language: string;
  readonly text: string;
  readonly comments: Readonly<Record<string, string>>;
}

/** The comments in the lines above a fence; blank lines may stand between. */
function commentsAbove(lines: readonly string[], fence: number): Record<string, string> {
  const found: Record<string, string> = {};
  for (let i = fence - 1; i >= 0; i--) {
    const line = lines[i]?.trim() ?? "";
    const [, name, value = ""] = COMMENT.exec(line) ?? [];
    if (name !== undefined && COMMENTS.includes(name)) found[name] = value;
    else if (line !== "") break;
  }
  return found;
}

/** All fenced blocks, and faults of form: a fence that is not closed, and code that is no fenced block. */
function fencedBlocks(path: string, lines: readonly string[]): { fenced: Fenced[]; problems: string[] } {
  const fenced: Fenced[] = [];
  const problems: string[] = [];
  let inList = false;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const [, fence, language = ""] = FENCE.exec(line) ?? [];
    if (fence !== undefined) {
      const margin = line.indexOf(fence);
      const isEnd = (text: string) => text.trim().startsWith(fence) && /^[`~]+$/.test(text.trim());
      const length = lines.slice(i + 1).findIndex(isEnd);
      if (length < 0) problems.push(`${path}:${i + 1} the fence has no end`);
      const end = length < 0 ? lines.length : i + 1 + length;
      const text = lines
        .slice(i + 1, end)
        .map((one) => `${one.slice(Math.min(margin, one.search(/\S|$/)))}\n`);
      fenced.push({
        line: i + 1,
        language: language.trim(),
        text: text.join(""),
        comments: commentsAbove(lines, i),
      });
      i = end;
    } else if (/^\s*<pre\b/i.test(line)) problems.push(`${path}:${i + 1} <pre>: use a fenced block`);
    else if (/^( {4}|\t)\s*\S/.test(line) && !inList && (lines[i - 1] ?? "").trim() === "")
      problems.push(`${path}:${i + 1} an indented code block: use a fenced block`);
    else if (LIST.test(line)) inList = true;
    else if (/^\S/.test(line)) inList = false;
  }
  return { fenced, problems };
}

const fileOf = ({ text, comments }: Fenced): string | null =>
  comments.file ?? FILE_NAME.exec(text.split("\n")[0] ?? "")?.[1] ?? null;

/** The role of a block, or why it has none; `before` is the role of the block before it. */
function roleOf(block: Fenced, before: Role | null): Role | string {
  const { language, comments } = block;
  const runs = (RUN_LANGUAGES as readonly string[]).includes(language);
  if (!runs && !OUTPUT_LANGUAGES.includes(language))
    return `the language ${JSON.stringify(language)} is none of ${RUN_LANGUAGES.join(", ")}, json and text`;
  if (comments.source !== undefined) return "source";
  if (comments.illustration !== undefined)
    return runs ? "a block of code cannot be an illustration" : "illustration";
  if (fileOf(block) !== null) return "file";
  if (runs) return "run";
  if (before === "run" || comments.run !== undefined) return "output";
  return "it is behind no block that prints it: give it a language, or a comment as CONTRIBUTING.md describes";
}

const ROLES: readonly string[] = ["run", "file", "output", "source", "illustration"];
const isRole = (text: string): text is Role => ROLES.includes(text);

/** The blocks of a document and what is wrong with them. */
export function blocksOf(path: string, text: string): Document {
  const { fenced, problems } = fencedBlocks(path, text.split("\n"));
  const blocks: Block[] = [];
  for (const one of fenced) {
    const role = roleOf(one, blocks.at(-1)?.role ?? null);
    if (isRole(role)) blocks.push({ path, ...one, role, file: role === "file" ? fileOf(one) : null });
    else problems.push(`${path}:${one.line} ${role}`);
  }
  return { blocks, problems };
}
