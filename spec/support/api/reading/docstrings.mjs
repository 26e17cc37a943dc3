// Doc comments as text, and the parts that they name: shapes, errors and sources.

/** The doc comment that ends directly before an offset, as text; null where there is none. */
export function leading(text, comments, start) {
  const comment = comments.find(({ end }) => end <= start && text.slice(end, start).trim() === "");
  const isDoc = comment?.type === "Block" && comment.value.startsWith("*");
  return isDoc ? textOf(comment.value) : null;
}

/** A doc comment without its asterisks. */
function textOf(value) {
  const lines = value
    .replace(/^\*/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, "").trimEnd());
  return lines.join("\n").trim();
}

const LABELLED = /^(Shapes|Source): /;

/** The paragraphs of a doc comment: text, lists and code as they are written, and the lines that begin with a label. */
export function partsOf(doc) {
  const parts = { text: [], Shapes: [], Source: [] };
  let list = parts.text;
  for (const line of doc.split("\n")) {
    const label = LABELLED.exec(line)?.[1];
    if (label !== undefined) {
      list = parts[label];
      list.push(line.slice(label.length + 2));
    } else if (line === "") {
      list = parts.text;
      list.push("");
    } else if (list !== parts.text) list.push(`${list.pop()} ${line.trim()}`);
    else list.push(line);
  }
  return { text: parts.text.join("\n").trim(), shapes: parts.Shapes, sources: parts.Source };
}

/** The errors that a doc comment says are thrown: the classes named after the word "Throws", up to the end of its paragraph. */
export function errorsNamed(doc) {
  const sentence = doc.match(/\bThrows\b[\s\S]*?(?=\n\n|$)/)?.[0] ?? "";
  return new Set(sentence.match(/\b[A-Z]\w*Error\b/g) ?? []);
}

/** Whether a doc comment refers to another one for its errors: "Throws as `generate` does". */
export const throwsAs = (doc) => /\bThrows (?:as|what) `/.test(doc);

/** The value of a block comment, in parts. */
export const plain = (value) => partsOf(textOf(value));
