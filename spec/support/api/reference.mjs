// The API reference: its pages, what the docstrings lack, and what they say of shapes and errors.
import { repository } from "../architecture/tree.mjs";
import { shapeLines } from "./pages/pages.mjs";
import { callables } from "./reading/callables.mjs";
import { errorsNamed } from "./reading/docstrings.mjs";
import { declarationFiles, entries } from "./reading/entries.mjs";

export { findings } from "./checks/findings.mjs";
export { outdated } from "./pages/outdated.mjs";
export { FOLDER, pages } from "./pages/pages.mjs";

/** Every exported name with the lines on its shapes and the errors that its docstrings name, those of its members included. */
export function documented(root = repository) {
  const read = declarationFiles(root);
  const all = entries(read, root).flatMap(({ exports }) => exports);
  return new Map(
    all.map((one) => {
      const members = callables(read, one).map(({ doc }) => doc ?? "");
      const docs = [...one.parts.map(({ doc }) => doc ?? ""), ...members];
      const errors = new Set(docs.flatMap((doc) => [...errorsNamed(doc)]));
      return [one.exported, { shapes: shapeLines(read, one), errors }];
    }),
  );
}
