// Where a source declares a name.
import { parse } from "../../architecture/syntax.mjs";

/** The offsets of the statements that declare a name, from the first to the last of its overloads, comments above included; null without one. */
export function sourceSpan(path, text, name) {
  const { program, comments } = parse(path, text);
  const named = program.body.filter((statement) => {
    const declared = statement.declaration ?? statement;
    const ids = declared.declarations?.map(({ id }) => id) ?? [declared.id];
    return ids.some((id) => id?.name === name);
  });
  const [first] = named;
  if (first === undefined) return null;
  const above = comments.findLast(
    ({ end }) => end <= first.start && text.slice(end, first.start).trim() === "",
  );
  return { start: above?.start ?? first.start, end: named.at(-1).end, statements: named };
}
