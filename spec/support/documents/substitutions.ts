// What runs in place of commands that install, download, serve or compute for minutes. Every other command runs as the page has it.

/** The form of the commands that each reason excuses, so that it cannot excuse anything else. */
export const REASONS = {
  "installs packages": /^npm (install|ci)\b/,
  "builds dist/, which the tests are using": /^npm run build$/,
  "is the run of the tests itself": /^npm test$/,
  "downloads a model": /^npm run fetch:\w+/,
  "compares with PyTorch for minutes": /^(PYTHON=… )?npm run (compare|bench):\w+/,
  "measures for minutes": /^node run\.mjs\b/,
  "trains for minutes": /^(npx )?flamboyance train [\w-]+/,
  "checks every case": /^(npx )?flamboyance check\b/,
  "serves until it is stopped": /^(npx )?flamboyance inspect\b/,
} as const;

/** `quick` belongs to `npm test`, `full` to `npm run test:docs -- --full`. */
export type Mode = "quick" | "full";

/** How the output of a replacement relates to that of the command: equal, equal but for its numbers, or unrelated. */
export type Likeness = "equal" | "other numbers" | "other text";

export interface Replacement {
  /** The script; `$&` is the command, `$<name>` a group of its pattern. Null: nothing runs, and the command is only declared. */
  readonly script: string | null;
  readonly prints: Likeness;
  /** A file or folder that it makes and that differs from the page's: outputs of later blocks that name it differ as much. */
  readonly alters?: string;
}

export interface Substitution {
  /** The command. It begins a line or follows `&&` or `;`. */
  readonly command: RegExp;
  readonly reason: keyof typeof REASONS;
  readonly quick: Replacement;
  /** "exactly": in the full mode the command runs as it stands. */
  readonly full: Replacement | "exactly";
}

const NOTHING: Replacement = { script: null, prints: "other text" };
const PLACE = "~/.cache/flamboyance/SmolLM2-135M-Instruct";

/** One case of those that the page's command checks. */
const ONE_CASE = "golden/cases/flamingo-pytorch/swiglu--basic";

/** Copies a folder that is made once for all pages (`copy`, `fixtures.ts`). */
const copied = (fixture: string, path: string, prints: Likeness, alters?: string): Replacement => ({
  script: `copy ${fixture} ${path}`,
  prints,
  ...(alters === undefined ? {} : { alters }),
});

/** A training run of two steps in place of one of minutes. */
function shortTraining(task: string, options: string): Substitution {
  const command = new RegExp(`(npx )?flamboyance train ${task}(?= )[^#&;\\n]*?--out (?<out>\\S+)`);
  const short: Replacement = { script: `$& ${options}`, prints: "other text", alters: "$<out>" };
  return { command, reason: "trains for minutes", quick: short, full: short };
}

/** A command that checks all cases of the package, on one of them. */
const everyCase = (words: string): Substitution => ({
  command: new RegExp(`(npx )?flamboyance ${words}(?= *(#|$))`),
  reason: "checks every case",
  quick: { script: `$& ${ONE_CASE}`, prints: "other text" },
  full: "exactly",
});

export const SUBSTITUTIONS: readonly Substitution[] = [
  {
    command: /npm (install|ci)( [\w@./-]+)*(?= *(&|#|$))/,
    reason: "installs packages",
    quick: NOTHING,
    full: NOTHING,
  },
  {
    command: /npm run build/,
    reason: "builds dist/, which the tests are using",
    quick: NOTHING,
    full: NOTHING,
  },
  {
    command: /(PYTHON=… )?npm run (compare|bench):[\w-]+( -- --from CHECKOUT)?/,
    reason: "compares with PyTorch for minutes",
    quick: NOTHING,
    full: NOTHING,
  },
  {
    command: /node run\.mjs( --only language-model --model FOLDER)?(?= {2})/,
    reason: "measures for minutes",
    quick: { script: "node run.mjs --only page", prints: "other text" },
    full: { script: "node run.mjs --only page", prints: "other text" },
  },
  {
    command: /(npx )?flamboyance train digits( --quick)?/,
    reason: "trains for minutes",
    quick: { script: "$& --scale 0.01 --held-out 10", prints: "other text" },
    full: { script: "$& --scale 0.01 --held-out 10", prints: "other text" },
  },
  { command: /npm test/, reason: "is the run of the tests itself", quick: NOTHING, full: NOTHING },
  everyCase("check"),
  {
    command: /npm run fetch:smollm2 -- --dest (?<dest>\S+)/,
    reason: "downloads a model",
    quick: copied("language-model", "$<dest>", "other text", "$<dest>"),
    full: copied("smollm2", "$<dest>", "other text"),
  },
  {
    command: /npm run fetch:smollm2(?! +--)/,
    reason: "downloads a model",
    quick: copied("language-model", PLACE, "other text", "SmolLM2-135M-Instruct"),
    full: copied("language-model", PLACE, "other text", "SmolLM2-135M-Instruct"), // pages that train with it take two steps
  },
  shortTraining("kosmos-digits", "--steps 2 --vision-steps 2 --held-out 10"),
  shortTraining("smollm2-digits", "--steps 2 --vision-steps 2 --held-out 10 --texts 4 --first-layer 0"),
  {
    command: /(npx )?flamboyance inspect(?! --port)/,
    reason: "serves until it is stopped",
    quick: { script: "serve $&", prints: "other text" },
    full: { script: "serve $&", prints: "other text" },
  },
];

export interface Substituted {
  /** What runs, or null if nothing is left. */
  readonly text: string | null;
  readonly used: readonly { readonly substitution: Substitution; readonly replacement: Replacement }[];
  readonly alters: readonly string[];
}

/** Where the command of a substitution stands in a block. */
export const places = ({ command }: Substitution): RegExp =>
  new RegExp(`(?<=^\\s*|&&\\s*|;\\s*)(?:${command.source})`, "gm");

const isComment = (line: string): boolean => /^\s*(#.*)?$/.test(line);

/** Applies the substitutions to a block of shell commands. */
export function substituted(text: string, mode: Mode): Substituted {
  const used: Substituted["used"][number][] = [];
  const alters: string[] = [];
  let script = text;
  for (const substitution of SUBSTITUTIONS) {
    const replacement = substitution[mode];
    if (replacement === "exactly") continue;
    script = script.replace(places(substitution), (match, ...more) => {
      const groups: Record<string, string> = typeof more.at(-1) === "object" ? more.at(-1) : {};
      const filled = (part: string) =>
        part.replace(/\$&|\$<(\w+)>/g, (_, name) => (name === undefined ? match : (groups[name] ?? "")));
      used.push({ substitution, replacement });
      if (replacement.alters !== undefined) alters.push(filled(replacement.alters));
      return replacement.script === null ? "true" : filled(replacement.script);
    });
  }
  const idle = script.split("\n").every((line) => isComment(line.replace(/\btrue\b|&&|;/g, "")));
  return { text: idle && used.length > 0 ? null : script, used, alters };
}
