// The grid of a prompt. The positions of all lines are computed, but elements exist only for visible lines, so that long prompts scroll
// smoothly.
import { h, styled } from "../../shared/dom.ts";
import type { Place } from "../state.ts";
import type { TokenView } from "../view.ts";
import { tokenLabel } from "../words.ts";
import { type GridLook, GUTTER, gutter, heading, heightOf, LARGE, mostColumns, textWidth } from "./layout.ts";
import { firstImages, type Line, linesOf, lineWith, offsetsOf, shownImages, visibleLines } from "./lines.ts";
import { idOf, tokenElement } from "./token-element.ts";

/** Lines up to this distance from the window are built, in pixels. */
const MARGIN = 160;

interface GridLine extends Line {
  readonly shown: readonly number[];
}

export class GridView {
  readonly element = h("div.grid", { role: "grid", tabindex: 0 });
  readonly #lineBox = h("div.lines", { role: "presentation" });
  readonly #built = new Map<number, HTMLElement>();
  readonly #marks: { active: Place | null; hovered: Place | null } = { active: null, hovered: null };
  #lines: GridLine[] = [];
  #offsets: number[] = [];
  #tokens: readonly TokenView[] = [];
  #look: GridLook | null = null;
  #scale = 1;
  readonly prompt: number;

  constructor(prompt: number) {
    this.prompt = prompt;
    this.element.append(this.#lineBox);
  }

  /** Lays out the tokens for this width. `build` then creates the elements of the visible lines. */
  show(tokens: readonly TokenView[], look: GridLook, width: number): void {
    this.#tokens = tokens;
    this.#look = look;
    const room = width - GUTTER[look.layout] - 2;
    this.#scale = 1;
    const used = tokens.reduce((sum, token) => sum + this.#widthOf(token), 0);
    if (look.layout === "sentence" && used * LARGE <= room) this.#scale = LARGE;
    this.#lines = this.#linesFor(room, look);
    this.#offsets = offsetsOf(this.#lines.map(({ shown }) => this.#heightOf(shown.length, look)));
    this.element.className = `grid ${look.layout}${look.names.length > 1 ? " two" : ""}`;
    this.element.setAttribute("aria-label", `Prompt ${this.prompt}: tokens, and which images each sees`);
    this.element.setAttribute("aria-rowcount", `${tokens.length}`);
    styled(this.element, {
      "--cell": `${heightOf(look, this.#scale).cell}px`,
      "--s": `${this.#scale}`,
      "--cell-width": `${look.bars ? 24 + look.latents * 9 : 26}px`,
    });
    styled(this.#lineBox, { height: `${(this.#offsets.at(-1) ?? 0) + this.#headingHeight()}px` });
    this.#built.clear();
    this.#lineBox.replaceChildren(...(look.layout === "rows" ? [heading(look, this.#columns(look))] : []));
  }

  /** The images with a column in the rows layout. */
  #columns = (look: GridLook): number[] => firstImages(look.images, mostColumns(look));

  /** Whether a line has a cell that several images share. */
  get shares(): boolean {
    const images = this.#look?.images ?? 0;
    return this.#lines.some(({ shown }) => shown.length < images);
  }

  #heightOf(shown: number, look: GridLook): number {
    return heightOf(look, this.#scale, shown + Number(shown < look.images)).line;
  }

  #linesFor(room: number, look: GridLook): GridLine[] {
    const tokens = this.#tokens;
    if (look.layout === "rows") {
      const shown = this.#columns(look);
      return tokens.map((_, i) => ({ from: i, to: i + 1, shown }));
    }
    const widths = tokens.map((token) => this.#widthOf(token));
    return linesOf(widths, room).map(({ from, to }) => {
      const lineTokens = tokens.slice(from, to);
      const { prompt } = this;
      const recorded = lineTokens.flatMap(({ position }) => look.recordedImages({ prompt, position }));
      return { from, to, shown: shownImages(lineTokens, look.images, mostColumns(look), recorded) };
    });
  }

  #headingHeight = (): number => (this.#look?.layout !== "rows" ? 0 : this.#look.names.length > 1 ? 48 : 34);

  #widthOf({ token, bands }: TokenView): number {
    const image = bands[0]?.row.image ?? 0;
    const text = Math.min(textWidth(image > 0 ? `image ${image}` : tokenLabel(token)), 200);
    const bars = this.#look?.bars ? (this.#look.latents + 1) * 9 + 12 : 0;
    return Math.ceil(Math.max(34, text + 20, bars) * this.#scale);
  }

  /** The part of the lines above the window. Reading it makes the browser lay out the page. */
  get scrolled(): number {
    return -this.#lineBox.getBoundingClientRect().top - this.#headingHeight();
  }

  /** Creates the elements of the visible lines, and removes the others. */
  build(scrolled = this.scrolled): void {
    const look = this.#look;
    if (!look) return;
    const range = visibleLines(this.#offsets, scrolled - MARGIN, scrolled + innerHeight + MARGIN);
    for (const [i, element] of this.#built) {
      if (i >= range.from && i < range.to) continue;
      element.remove();
      this.#built.delete(i);
    }
    for (let i = range.from; i < range.to; i++) {
      if (this.#built.has(i)) continue;
      const [start = 0, end = 0] = this.#offsets.slice(i, i + 2);
      const place = { top: `${start + this.#headingHeight()}px`, height: `${end - start}px` };
      const element = styled(this.#lineElement(i, look), place);
      this.#built.set(i, element);
      this.#lineBox.append(element);
    }
    this.#draw("active");
    this.#draw("hovered");
  }

  #lineElement(i: number, look: GridLook): HTMLElement {
    const { from, to, shown } = this.#lines[i] ?? { from: 0, to: 0, shown: [] };
    const tokens = this.#tokens.slice(from, to).map((token) => {
      const { position } = token;
      const [before, after] = [this.#tokens[position - 1], this.#tokens[position + 1]];
      const weights = look.names.map((_, c) => look.weights({ prompt: this.prompt, position }, c));
      const element = tokenElement(token, { ...look, prompt: this.prompt, before, after, weights, shown });
      return look.layout === "sentence" ? styled(element, { width: `${this.#widthOf(token)}px` }) : element;
    });
    return h(
      "div.line",
      { role: "presentation" },
      look.layout === "sentence" && gutter(look, shown),
      ...tokens,
    );
  }

  /** Marks a place. With `reveal` its line is scrolled into view. */
  mark(place: Place | null, kind: "active" | "hovered", reveal = false): void {
    this.#marks[kind] = place?.prompt === this.prompt ? place : null;
    if (reveal && this.#marks[kind]) this.#reveal(this.#marks[kind].position);
    this.#draw(kind);
  }

  #draw(kind: "active" | "hovered"): void {
    for (const marked of this.element.querySelectorAll(`.${kind}`)) marked.classList.remove(kind);
    if (kind === "active") this.element.removeAttribute("aria-activedescendant");
    const place = this.#marks[kind];
    const row = place && this.element.querySelector(`[data-position="${place.position}"]`);
    if (!place || !row) return;
    row.classList.add(kind);
    const ofImage = row.querySelectorAll(`[data-image="${place.image}"]`);
    const cells = ofImage.length > 0 ? ofImage : row.querySelectorAll(".rest");
    for (const cell of cells) cell.classList.add(kind);
    const id = idOf(this.prompt, place.position, ofImage.length > 0 ? place.image : "rest");
    if (kind === "active") this.element.setAttribute("aria-activedescendant", id);
  }

  #reveal(position: number): void {
    const i = lineWith(this.#lines, position);
    const [start = 0, end = 0] = this.#offsets.slice(i, i + 2);
    const above = this.#headingHeight() + this.#lineBox.getBoundingClientRect().top;
    const covered = Number.parseFloat(getComputedStyle(document.body).getPropertyValue("--covered")) || 0;
    if (above + start < 8) scrollBy({ top: above + start - 60 });
    else if (above + end > innerHeight - covered) scrollBy({ top: above + end - innerHeight + covered + 24 });
    this.build();
  }
}
