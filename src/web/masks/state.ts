// The state of the page, which a link reproduces, and its form in the address. Fields with their initial value are left out.

export interface Place {
  readonly prompt: number;
  readonly position: number;
  /** From 1; 0 for the token itself. */
  readonly image: number;
}

export interface State {
  /** At least one. One without a token is not part of the batch. */
  readonly prompts: readonly string[];
  /** The number of images of each prompt; the last number also counts for later prompts. Empty: one per image token. */
  readonly images: readonly number[];
  /** For each prompt, the tiles of its images; the last list also counts for later prompts. Empty: images have no tiles. */
  readonly tiles: readonly (readonly number[])[];
  readonly convention: string;
  /** The convention to compare with; "" for none. */
  readonly against: string;
  readonly padding: "right" | "left";
  readonly layout: "sentence" | "rows";
  /** Whether cells show the mask or the weights of a block. */
  readonly show: "mask" | "attention";
  /** Columns per image; 1 shows all its latents as one. */
  readonly latents: number;
  readonly head: number;
  readonly at: Place | null;
  /** The number of tokens that are known when decoding begins; 0 shows the whole text without decoding. */
  readonly known: number;
  readonly step: number;
}

export const START: State = {
  prompts: ["A cat: <image> Two dogs: <image><image> done"],
  images: [],
  tiles: [],
  convention: "immediate",
  against: "",
  padding: "right",
  layout: "sentence",
  show: "mask",
  latents: 1,
  head: 0,
  at: null,
  known: 0,
  step: 0,
};

export const MOST_IMAGES = 64;
export const MOST_LATENTS = 16;
/** Tiles that are stored for each image: max_num_tiles of Llama 3.2 Vision. */
export const STORED_TILES = 4;

interface Codec<T> {
  readonly key: string;
  write(value: T): string;
  read(text: string): T | null;
}

const text = (key: string): Codec<string> => ({ key, write: (value) => value, read: (value) => value });

function whole(value: string, most: number, least = 0): number | null {
  const n = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
  return n >= least && n <= most ? n : null;
}

const number = (key: string, most: number, least = 0): Codec<number> => ({
  key,
  write: String,
  read: (value) => whole(value, most, least),
});

const choice = <const T extends string>(key: string, ...words: readonly T[]): Codec<T> => ({
  key,
  write: (value) => value,
  read: (value) => words.find((word) => word === value) ?? null,
});

/** Numbers between separators; null if any of them is invalid. */
function list(value: string, separator: string, most: number, least = 0): number[] | null {
  const numbers = value.split(separator).map((part) => whole(part, most, least));
  return numbers.every((n) => n !== null) ? numbers : null;
}

const LARGEST = 999_999;

/** The key of a prompt, which occurs once for each. */
const PROMPT = "prompt";
/** The key of all prompts in older addresses, one per line. */
const LINES = "p";

type Single = Omit<State, "prompts">;

const codecs: { readonly [K in keyof Single]: Codec<State[K]> } = {
  images: {
    key: "n",
    write: (value) => value.join("."),
    read: (value) => (value === "" ? [] : list(value, ".", MOST_IMAGES)),
  },
  tiles: {
    key: "tiles",
    write: (value) => value.map((counts) => counts.join(".")).join("_"),
    read: (value) => {
      const lists = value === "" ? [] : value.split("_").map((part) => list(part, ".", STORED_TILES, 1));
      return lists.every((one) => one !== null) ? lists : null;
    },
  },
  convention: text("c"),
  against: text("vs"),
  padding: choice("pad", "right", "left"),
  layout: choice("as", "sentence", "rows"),
  show: choice("show", "mask", "attention"),
  latents: number("r", MOST_LATENTS, 1),
  head: number("head", 63),
  at: {
    key: "at",
    write: (place) => (place ? [place.prompt, place.position, place.image].join(".") : ""),
    read: (value) => {
      const [prompt, position, image, ...more] = list(value, ".", LARGEST) ?? [];
      if (prompt === undefined || position === undefined || image === undefined || more.length > 0)
        return null;
      return { prompt, position, image };
    },
  },
  known: number("known", LARGEST),
  step: number("step", LARGEST),
};

const NAMES = Object.keys(codecs) as (keyof Single)[];

const write = <K extends keyof Single>(name: K, state: State): string => codecs[name].write(state[name]);

const samePrompts = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((prompt, b) => prompt === other[b]);

/** The part of the address after the #. */
export function addressOf(state: State): string {
  const prompts = samePrompts(state.prompts, START.prompts) ? [] : state.prompts;
  const fields = NAMES.filter((name) => write(name, state) !== write(name, START));
  return [
    ...prompts.map((prompt) => `${PROMPT}=${encoded(prompt)}`),
    ...fields.map((name) => `${codecs[name].key}=${encoded(write(name, state))}`),
  ].join("&");
}

/** Longer addresses are cut by some browsers and programs. */
const LONGEST_LINK = 64_000;

/** The address of a state that a link can hold; null if it is too long. */
export function linkOf(state: State): string | null {
  const characters = state.prompts.reduce((sum, { length }) => sum + length, 0);
  const address = characters > LONGEST_LINK ? null : addressOf(state);
  return address === null || address.length > LONGEST_LINK ? null : address;
}

/** Spaces become +, so that prompts stay readable in links. Unpaired surrogates, which no address can hold, become U+FFFD. */
const encoded = (value: string): string =>
  encodeURIComponent(value.replace(/\p{Surrogate}/gu, "\ufffd")).replaceAll("%20", "+");

/** The lines of an older address that are not blank. */
const linesOf = (text: string): string[] => text.split(/\r?\n/).filter((line) => line.trim() !== "");

function promptsIn(fields: URLSearchParams): readonly string[] {
  const prompts = fields.getAll(PROMPT);
  if (prompts.length > 0) return prompts;
  const lines = fields.get(LINES);
  if (lines === null) return START.prompts;
  const old = linesOf(lines);
  return old.length > 0 ? old : [""];
}

/** Fields that are missing or invalid get their initial value. */
export function stateOf(address: string): State {
  const fields = new URLSearchParams(address.replace(/^#/, ""));
  const read = <K extends keyof Single>(name: K): Partial<State> => {
    const given = fields.get(codecs[name].key);
    const value = given === null ? null : codecs[name].read(given);
    return value === null ? {} : { [name]: value };
  };
  return Object.assign({}, START, { prompts: promptsIn(fields) }, ...NAMES.map(read));
}
