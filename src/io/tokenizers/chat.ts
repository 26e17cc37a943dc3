// Chat templates: programs in Jinja's language, which write messages in the form that a model was trained on
// (transformers, utils/chat_template_utils.py). They are run by @huggingface/jinja, with a limit on steps and on text.
import { LoadError, messageOf, RuleError } from "../../tensor/errors.ts";
import { quoted } from "../wording.ts";

/** A message of a conversation. */
export interface ChatMessage {
  /** "system", "user", "assistant" or "tool", as the template knows them. */
  readonly role: string;
  readonly content: unknown;
  readonly [key: string]: unknown;
}

/** Renders a template. */
export type Render = (template: string, variables: Readonly<Record<string, unknown>>) => string;

/** The longest template, in characters. */
const LONGEST = 200_000;
/** Nested brackets and blocks of a template. */
const DEEPEST = 200;
/** Expressions and statements that one rendering evaluates. */
const MOST_STEPS = 1_000_000;
/** The longest text or list that an expression makes. */
const MOST_LENGTH = 10_000_000;
/** The most characters of all texts that expressions make. */
const MOST_TEXT = 200_000_000;

const refused = (problem: string): RuleError => new RuleError(`the chat template ${problem}`, "chat.limits");

/** What this file uses of @huggingface/jinja. */
interface JinjaValue {
  readonly value: unknown;
}
interface JinjaInterpreter {
  run(program: object): JinjaValue;
  evaluate(statement: object, environment: object): JinjaValue;
}
interface Jinja {
  readonly Environment: new () => { set(name: string, value: unknown): void };
  readonly Interpreter: new (environment: object) => JinjaInterpreter;
  readonly tokenize: (template: string, options: object) => object;
  readonly parse: (tokens: object) => object;
}

/** Loads the package that runs templates; only a folder with a template needs it. */
export async function loadRenderer(): Promise<Render> {
  // The package's types import files without extensions, which the compiler does not resolve here.
  const { Environment, Interpreter, parse, tokenize } = (await import(
    "@huggingface/jinja"
  )) as unknown as Jinja;

  /** Counts steps and the length of what they make. [chat.limits] */
  class Limited extends Interpreter {
    #steps = 0;
    #text = 0;
    #depth = 0;
    override evaluate(...call: Parameters<JinjaInterpreter["evaluate"]>): JinjaValue {
      if (++this.#depth > DEEPEST * 4) throw refused("is nested too deeply");
      const result = super.evaluate(...call);
      this.#depth--;
      const { value } = result;
      this.#steps += Array.isArray(value) ? 1 + value.length : 1; // a loop over a list takes as many steps
      if (this.#steps > MOST_STEPS) throw refused(`runs for more than ${MOST_STEPS} steps`);
      const length = typeof value === "string" || Array.isArray(value) ? value.length : 0;
      this.#text += length;
      if (length > MOST_LENGTH || this.#text > MOST_TEXT)
        throw refused(`makes more than ${MOST_LENGTH} characters`);
      return result;
    }
  }

  return (template, variables) => {
    if (template.length > LONGEST) throw refused(`has ${template.length} characters, more than ${LONGEST}`);
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...GLOBALS, ...variables })) environment.set(name, value);
    const program = parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true }));
    const { value } = new Limited(environment).run(program);
    return String(value);
  };
}

/** Jinja's range, with bounded length. */
function range(start: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (!(count <= MOST_STEPS)) throw refused(`asks for a range of ${count} numbers`);
  return Array.from({ length: count }, (_, i) => from + i * step);
}

/** What a template may call and read besides the messages. */
const GLOBALS: Readonly<Record<string, unknown>> = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  raise_exception: (message: unknown) => {
    throw new RuleError(`the chat template refuses the messages: ${quoted(String(message))}`, "chat.raise");
  },
  range,
};

/** The template of this name, or the only one, or the one that is called "default". [chat.choice] */
export function chosenTemplate(
  templates: ReadonlyMap<string, string>,
  name: string | undefined,
  folder: string,
): string {
  const template = templates.get(name ?? "default");
  if (template !== undefined) return template;
  const known = [...templates.keys()].map(quoted).join(", ");
  if (templates.size === 0)
    throw new LoadError(`${folder} has no chat template; write the prompt as text  [chat.choice]`);
  throw new LoadError(
    `${folder} has no chat template ${quoted(name ?? "default")}; it has ${known}  [chat.choice]`,
  );
}

/** The text of a rendering; an error of the language as a sentence. */
export function rendered(
  render: Render,
  template: string,
  variables: Readonly<Record<string, unknown>>,
): string {
  try {
    return render(template, variables);
  } catch (error) {
    if (error instanceof RuleError) throw error;
    throw new RuleError(`the chat template cannot be run: ${quoted(messageOf(error))}`, "chat.language");
  }
}
