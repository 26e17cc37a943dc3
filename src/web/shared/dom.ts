// Creates elements. Styles are set through the object model, because the page's policy forbids inline style attributes.

export type Child = Node | string | null | false;
type Listener = (event: Event) => void;
type Attributes = Readonly<Record<string, string | number | boolean | null | undefined | Listener>>;

/**
 * Creates an element. `tag` may have classes: "div.chip.image". Attributes that begin with "on" are event listeners; true is an empty
 * attribute, but "true" in ARIA's attributes, which have no empty value; null and false are omitted, also among children.
 */
export function h(tag: string, attributes: Attributes = {}, ...children: readonly Child[]): HTMLElement {
  const [name = "div", ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.slice("on".length), value);
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(key, value === true && !key.startsWith("aria-") ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== false));
  return element;
}

export function styled<E extends HTMLElement>(element: E, properties: Readonly<Record<string, string>>): E {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, value);
  return element;
}

/** The class of an image's colour. There are eight colours, which repeat; the number distinguishes the images. */
export const colourClass = (image: number): string => (image > 0 ? `i${((image - 1) % 8) + 1}` : "i0");

/** Returns a function that runs `f` when it has not been called for some milliseconds. */
export function afterPause(f: () => void, milliseconds: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(f, milliseconds);
  };
}

/** Returns a function that runs `f` in the next animation frame, once for any number of calls before it. */
export function eachFrame(f: () => void): () => void {
  let requested = false;
  return () => {
    if (requested) return;
    requested = true;
    requestAnimationFrame(() => {
      requested = false;
      f();
    });
  };
}
