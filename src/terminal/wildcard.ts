// Patterns of names: "*" stands for any characters and "?" for one, except "/".

export const isPattern = (text: string): boolean => /[*?]/.test(text);

/** Whether a pattern matches a whole text. The time is at most the product of both lengths. */
export function matches(pattern: string, text: string): boolean {
  let [p, t] = [0, 0];
  let star = -1;
  let from = 0;
  while (t < text.length) {
    const wild = pattern[p] === "?" && text[t] !== "/";
    if (pattern[p] === "*") {
      star = p++;
      from = t;
    } else if (wild || pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0 && text[from] !== "/") {
      p = star + 1;
      t = ++from; // the last star takes one more character
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
