// A tokenizer: text to ids and back, chat templates, and the ids that a model's configuration names.
import { Bug, RuleError } from "../../tensor/errors.ts";
import { quoted } from "../wording.ts";
import { type ChatMessage, chosenTemplate, type Render, rendered } from "./chat.ts";
import { cleanedUp } from "./clean-up.ts";
import type { Pipeline } from "./pipeline.ts";
import { TextStream } from "./streaming.ts";
import { wellFormed } from "./text/characters.ts";

/** How a text becomes ids. */
export interface EncodeOptions {
  /** Whether the special tokens that the file puts around a text are added, such as `<s>` before it. True if left out. */
  readonly special?: boolean;
}
/** How ids become a text. */
export interface DecodeOptions {
  /** Whether special tokens are left out. False if left out. */
  readonly skipSpecial?: boolean;
}
/** The template of a conversation and its variables. */
export interface ChatOptions {
  /** Whether the text ends with what begins an answer. False if left out. */
  readonly generationPrompt?: boolean;
  /** The name of the template, if the folder has several. */
  readonly template?: string;
  /** Other variables of the template, such as `tools`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** What a folder has besides the vocabulary. */
export interface Settings {
  /** For errors. */
  readonly name: string;
  /** The texts of the special tokens by their names: bos_token, eos_token, pad_token, … */
  readonly specialTokens: ReadonlyMap<string, string>;
  readonly templates: ReadonlyMap<string, string>;
  /** null where there are no templates. */
  readonly render: Render | null;
  readonly cleanUp: boolean;
}

/** Text to ids and back, chat templates, and the ids of special tokens. `loadTokenizer` makes one. */
export class Tokenizer {
  readonly #pipeline: Pipeline;
  readonly #settings: Settings;

  constructor(pipeline: Pipeline, settings: Settings) {
    this.#pipeline = pipeline;
    this.#settings = settings;
  }

  /** The number of ids: one more than the largest. */
  get size(): number {
    return this.#pipeline.size;
  }
  /** The id that begins a text; null if the folder names none, or it has no id. */
  get bos(): number | null {
    return this.#special("bos_token");
  }
  /** The id that ends a text, or null. */
  get eos(): number | null {
    return this.#special("eos_token");
  }
  /** The id that fills up a batch, or null. */
  get pad(): number | null {
    return this.#special("pad_token");
  }
  /** The id of text that has no token, or null. */
  get unk(): number | null {
    return this.#special("unk_token");
  }

  #special(name: string): number | null {
    const token = this.#settings.specialTokens.get(name);
    return token === undefined ? null : this.tokenToId(token);
  }

  /** The id of a token, or null if it is none. */
  tokenToId(token: string): number | null {
    return this.#pipeline.idOf(token) ?? null;
  }

  /** The token of an id as the vocabulary writes it, or null if the id has none. */
  idToToken(id: number): string | null {
    return this.#pipeline.tokenOf(id) ?? null;
  }

  /** The ids of a text. Half of a surrogate pair counts as U+FFFD. Throws a RuleError for anything but a text. */
  encode(text: string, { special = true }: EncodeOptions = {}): number[] {
    if (typeof text !== "string") throw new RuleError("encode takes a text", "tokenizer.encode");
    return [...this.#pipeline.encode(wellFormed(text), special)]; // [tokenizer.surrogates]
  }

  /** The text of ids. An id without a token has no text. */
  decode(ids: Iterable<number>, { skipSpecial = false }: DecodeOptions = {}): string {
    const text = this.#pipeline.decode([...ids], skipSpecial);
    return this.#settings.cleanUp ? cleanedUp(text) : text;
  }

  /** Decodes ids as they come: `push` gives the text that is complete with an id, `end` the rest. */
  stream({ skipSpecial = false }: DecodeOptions = {}): TextStream {
    return new TextStream(this.#pipeline, { skipSpecial, cleanUp: this.#settings.cleanUp });
  }

  /** Whether the folder has a chat template. */
  get hasChat(): boolean {
    return this.#settings.templates.size > 0;
  }

  /**
   * The text of a conversation in the form of the chat template. It has its special tokens already: encode it with `special: false`.
   * Throws a RuleError if the template refuses the messages.
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): string {
    const { name, templates, specialTokens, render } = this.#settings;
    for (const message of messages)
      if (typeof message?.role !== "string")
        throw new RuleError(
          `a message needs a role; this one is ${quoted(JSON.stringify(message) ?? "")}`,
          "chat.messages",
        );
    const template = chosenTemplate(templates, options.template, name);
    if (render === null) throw new Bug("templates come with a renderer");
    return rendered(render, template, {
      ...Object.fromEntries(specialTokens),
      ...options.variables,
      messages,
      add_generation_prompt: options.generationPrompt ?? false,
    });
  }
}
