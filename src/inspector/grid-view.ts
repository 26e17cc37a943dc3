// A prompt with its grid. Lines are laid out by arithmetic and built only while they are in sight, so that five hundred
// tokens scroll as smoothly as ten.
import { eachFrame, h, ink, styled } from "./dom.ts";
import { inSight, type Line, lineWith, packed } from "./lines.ts";
import type { Place } from "./state.ts";
import { idOf, type TokenLook, tokenElement } from "./token-element.ts";
import type { TokenView } from "./view.ts";

export interface GridLook extends Omit<TokenLook, "prompt" | "before" | "after" | "weights"> {
  readonly layout: "sentence" | "rows";
  readonly images: number;
  /** Cells hold bars, and need the height. */
  readonly bars: boolean;
  weights(prompt: number, position: number): readonly (readonly number[])[] | null;
}

const GUTTER = { sentence: 44, rows: 0 };
const pen = document.createElement("canvas").getContext("2d");
const measured = new Map<string, number>();

function textWidth(text: string): number {
  const known = measured.get(text);
  if (known !== undefined) return known;
  if (pen) pen.font = `500 15px ${getComputedStyle(document.body).fontFamily}`;
  const width = pen?.measureText(text).width ?? text.length * 8;
  measured.set(text, width);
  return width;
}

/** Lines of a sentence: position, chip, and for each convention its name, time, a cell an image, the verdict. */
function heightOf({ layout, images, names, bars }: GridLook, scale: number): { line: number; cell: number } {
  if (layout === "rows") return { line: 30, cell: 22 };
  const cell = Math.round((images > 6 ? 14 : bars ? 24 : 18) * scale);
  const bands = names.length;
  const head = 14 + 34 * scale;
  return { line: head + bands * ((bands > 1 ? 18 : 0) + 18 * scale + images * cell + 20 * scale) + 22, cell };
}

/** A short prompt is written larger. */
const LARGE = 1.25;

export class GridView {
  readonly element = h("div.grid", { role: "grid", tabindex: 0 });
  readonly #stage = h("div.lines", { role: "presentation" });
  readonly #built = new Map<number, HTMLElement>();
  #lines: Line[] = [];
  #tokens: readonly TokenView[] = [];
  #look: GridLook | null = null;
  #room = 0;
  #scale = 1;
  readonly prompt: number;
  readonly refresh = eachFrame(() => this.#build());

  constructor(prompt: number) {
    this.prompt = prompt;
    this.element.append(this.#stage);
    new ResizeObserver(() => {
      if (this.#look && this.element.clientWidth !== this.#room) this.show(this.#tokens, this.#look);
    }).observe(this.element);
  }

  show(tokens: readonly TokenView[], look: GridLook): void {
    this.#tokens = tokens;
    this.#look = look;
    this.#room = this.element.clientWidth;
    const room = this.#room - GUTTER[look.layout] - 2;
    this.#scale = 1;
    const width = tokens.reduce((sum, token) => sum + this.#widthOf(token), 0);
    if (look.layout === "sentence" && width * LARGE <= room) this.#scale = LARGE;
    const { line, cell } = heightOf(look, this.#scale);
    this.#lines =
      look.layout === "rows"
        ? tokens.map((_, i) => ({ from: i, to: i + 1 }))
        : packed(
            tokens.map((token) => this.#widthOf(token)),
            room,
          );
    this.element.className = `grid ${look.layout}${look.names.length > 1 ? " two" : ""}`;
    this.element.setAttribute("aria-label", `Prompt ${this.prompt}: tokens, and which images each sees`);
    this.element.setAttribute("aria-rowcount", `${tokens.length}`);
    styled(this.element, {
      "--cell": `${cell}px`,
      "--s": `${this.#scale}`,
      "--cell-width": `${look.bars ? 24 + look.latents * 9 : 26}px`,
    });
    styled(this.#stage, { height: `${this.#lines.length * line + this.#head()}px` });
    this.#built.clear();
    this.#stage.replaceChildren(...(look.layout === "rows" ? [heading(look)] : []));
    this.#build();
  }

  #head = (): number => (this.#look?.layout !== "rows" ? 0 : this.#look.names.length > 1 ? 48 : 34);

  #widthOf({ token, bands }: TokenView): number {
    const image = bands[0]?.row.image ?? 0;
    const text = Math.min(textWidth(image > 0 ? `image ${image}` : token.text), 200);
    const bars = this.#look?.bars ? (this.#look.latents + 1) * 9 + 12 : 0;
    return Math.ceil(Math.max(34, text + 20, bars) * this.#scale);
  }

  #build(): void {
    const look = this.#look;
    if (!look) return;
    const { line: height } = heightOf(look, this.#scale);
    const top = -this.#stage.getBoundingClientRect().top - this.#head();
    const range = inSight(this.#lines.length, height, top, top + innerHeight);
    for (const [i, element] of this.#built) {
      if (i >= range.from && i < range.to) continue;
      element.remove();
      this.#built.delete(i);
    }
    for (let i = range.from; i < range.to; i++) {
      if (this.#built.has(i)) continue;
      const element = styled(this.#lineElement(i, look), {
        top: `${i * height + this.#head()}px`,
        height: `${height}px`,
      });
      this.#built.set(i, element);
      this.#stage.append(element);
    }
  }

  #lineElement(i: number, look: GridLook): HTMLElement {
    const { from, to } = this.#lines[i] as Line;
    const tokens = this.#tokens.slice(from, to).map((token) => {
      const { position } = token;
      const [before, after] = [this.#tokens[position - 1], this.#tokens[position + 1]];
      const weights = look.weights(this.prompt, position);
      const element = tokenElement(token, { ...look, prompt: this.prompt, before, after, weights });
      return look.layout === "sentence" ? styled(element, { width: `${this.#widthOf(token)}px` }) : element;
    });
    return h("div.line", { role: "presentation" }, look.layout === "sentence" && gutter(look), ...tokens);
  }

  /** Marks a token, and scrolls its line into sight if asked. */
  mark(place: Place | null, kind: "active" | "hovered", reveal = false): void {
    for (const marked of this.element.querySelectorAll(`.${kind}`)) marked.classList.remove(kind);
    if (kind === "active") this.element.removeAttribute("aria-activedescendant");
    if (!place || place.prompt !== this.prompt || !this.#look) return;
    if (reveal) this.#reveal(place.position);
    const row = this.element.querySelector(`[data-position="${place.position}"]`);
    row?.classList.add(kind);
    for (const cell of row?.querySelectorAll(`[data-image="${place.image}"]`) ?? []) cell.classList.add(kind);
    if (kind === "active")
      this.element.setAttribute("aria-activedescendant", idOf(this.prompt, place.position, place.image));
  }

  #reveal(position: number): void {
    const { line } = heightOf(this.#look as GridLook, this.#scale);
    const at =
      lineWith(this.#lines, position) * line + this.#head() + this.#stage.getBoundingClientRect().top;
    const covered = Number.parseFloat(getComputedStyle(document.body).getPropertyValue("--covered")) || 0;
    if (at < 8) scrollBy({ top: at - 60 });
    else if (at + line > innerHeight - covered) scrollBy({ top: at + line - innerHeight + covered + 24 });
    this.#build();
  }
}

function bandLabels({ images }: GridLook, name: string | null): HTMLElement[] {
  const badges = Array.from({ length: images }, (_, m) =>
    h(`span.cell.label.${ink(m + 1)}`, {}, h("b", {}, `${m + 1}`)),
  );
  return [
    ...(name === null ? [] : [h("span.band-name", {}, name)]),
    h("span.time", {}, "time"),
    ...badges,
    h("span.verdict", {}, "row"),
  ];
}

const gutter = (look: GridLook): HTMLElement =>
  h(
    "div.gutter",
    { "aria-hidden": true },
    h("span.position"),
    h("span.chip.blank", {}, " "),
    ...look.names.flatMap((name) => bandLabels(look, look.names.length > 1 ? name : null)),
  );

const heading = (look: GridLook): HTMLElement =>
  h(
    "div.token.heading",
    { "aria-hidden": true },
    h("span.position"),
    h("span.chip.blank", {}, "token"),
    ...look.names.flatMap((name) => bandLabels(look, look.names.length > 1 ? name : null)),
  );
