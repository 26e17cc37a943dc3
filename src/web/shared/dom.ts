// Elements in one expression. Styles that a script must set go through the object model, which the page's policy allows.

export type Child = Node | string | null | false;
type Listener = (event: Event) => void;
type Attributes = Readonly<Record<string, string | number | boolean | null | undefined | Listener>>;

/** A tag with classes, "div.chip.image"; on… are listeners, true is an empty attribute, null and false are none. */
export function h(tag: string, attributes: Attributes = {}, ...children: readonly Child[]): HTMLElement {
  const [name = "div", ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length > 0) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.slice("on".length), value);
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== false));
  return element;
}

export function styled<E extends HTMLElement>(element: E, properties: Readonly<Record<string, string>>): E {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, value);
  return element;
}

/** Images take turns with eight colours; their numbers tell them apart. */
export const ink = (image: number): string => (image > 0 ? `i${((image - 1) % 8) + 1}` : "i0");

/** Once a frame, however often it is asked for. */
export function eachFrame(f: () => void): () => void {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      f();
    });
  };
}
