// Code blocks of documents that quote a region of a source:
//
//   <!-- source: src/nn/linear.ts#forward -->        // #region forward
//   ```ts                                            …
//   …                                                // #endregion
//   ```
//
// The block is the region's lines, less their common indentation and the marks of regions inside.

const MARKED = /^<!-- source: (\S+?)#(\S+) -->\n+(`{3,})([^\n]*)\n(.*?)^\3$/gms;
const MARK = /^<!-- source:.*$/gm;
const BEGIN = /^\s*\/\/ #region(?: (\S+))?/;
const END = /^\s*\/\/ #endregion/;

/** The lines of a region as `text`, or the `problem` with it. */
export function region(source, name) {
  const lines = source.split("\n");
  const starts = lines.flatMap((line, i) => (BEGIN.exec(line)?.[1] === name ? [i] : []));
  const [start] = starts;
  if (start === undefined) return { problem: `there is no region ${name}` };
  if (starts.length > 1) return { problem: `there are ${starts.length} regions ${name}` };
  let depth = 1;
  let end = start;
  while (depth > 0 && ++end < lines.length) {
    if (BEGIN.test(lines[end])) depth++;
    if (END.test(lines[end])) depth--;
  }
  if (depth > 0) return { problem: `the region ${name} has no end` };
  const inside = lines.slice(start + 1, end).filter((line) => !BEGIN.test(line) && !END.test(line));
  return { text: dedent(inside) };
}

function dedent(lines) {
  const used = lines.filter((line) => line.trim() !== "");
  const margin = Math.min(...used.map((line) => line.length - line.trimStart().length));
  const text = lines.map((line) => line.slice(margin)).join("\n");
  return `${text.replace(/^\n+|\s+$/g, "")}\n`;
}

/** The document with every marked block as its source has it, and the blocks that differed or have no source. */
export function refresh(path, document, sourceOf) {
  const problems = [];
  const report = (at, problem) =>
    problems.push(`${path}:${document.slice(0, at).split("\n").length} ${problem}`);
  const text = document.replace(MARKED, (whole, file, name, fence, language, block, at) => {
    const source = sourceOf(file);
    const { text: fresh, problem } =
      source === undefined ? { problem: "there is no such file" } : region(source, name);
    if (problem !== undefined) report(at, `${file}: ${problem}`);
    if (fresh === undefined || fresh === block) return whole;
    report(at, `differs from ${file}#${name}: npm run links -- --write`);
    const head = whole.slice(0, whole.indexOf(fence));
    return `${head}${fence}${language}\n${fresh}${fence}`;
  });
  const complete = [...document.matchAll(MARKED)].map(({ index }) => index);
  for (const { index } of document.matchAll(MARK))
    if (!complete.includes(index)) report(index, "names a source, but no code block follows");
  return { text, problems };
}
