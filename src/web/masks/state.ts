// The state of the page, which a link reproduces, and its form in the address. Fields with their initial value are left out.

export interface Place {
  readonly prompt: number;
  readonly position: number;
  /** From 1; 0 for the token itself. */
  readonly image: number;
}

export interface State {
  /** One prompt per line. */
  readonly text: string;
  /** The number of images of each prompt; the last number also counts for later prompts. Empty: one per image token. */
  readonly images: readonly number[];
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
  text: "A cat: <image> Two dogs: <image><image> done",
  images: [],
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

type Codec<T> = { readonly key: string; write(value: T): string; read(text: string): T | null };

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
function list(value: string, separator: string, most: number): number[] | null {
  const numbers = value.split(separator).map((part) => whole(part, most));
  return numbers.every((n) => n !== null) ? numbers : null;
}

const LARGEST = 999_999;

const codecs: { readonly [K in keyof State]: Codec<State[K]> } = {
  text: text("p"),
  images: {
    key: "n",
    write: (value) => value.join("."),
    read: (value) => (value === "" ? [] : list(value, ".", MOST_IMAGES)),
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

const NAMES = Object.keys(codecs) as (keyof State)[];

const write = <K extends keyof State>(name: K, state: State): string => codecs[name].write(state[name]);

/** The part of the address after the #. */
export function addressOf(state: State): string {
  const fields = NAMES.filter((name) => write(name, state) !== write(name, START));
  return fields.map((name) => `${codecs[name].key}=${encoded(write(name, state))}`).join("&");
}

/** Spaces become +, so that prompts stay readable in links. */
const encoded = (value: string): string => encodeURIComponent(value).replaceAll("%20", "+");

/** Fields that are missing or invalid get their initial value. */
export function stateOf(address: string): State {
  const fields = new URLSearchParams(address.replace(/^#/, ""));
  const read = <K extends keyof State>(name: K): Partial<State> => {
    const given = fields.get(codecs[name].key);
    const value = given === null ? null : codecs[name].read(given);
    return value === null ? {} : { [name]: value };
  };
  return Object.assign({}, START, ...NAMES.map(read));
}
