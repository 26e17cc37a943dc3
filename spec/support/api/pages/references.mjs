// Links for what docstrings cite: papers, packages and rules.
const PYPI =
  /\b(flamingo-pytorch|open-flamingo|transformers|torchscale|bitsandbytes|lion-pytorch|open-clip-torch|flamingo-mini|fairseq|pycocoevalcap|scikit-learn|kosmosx) (\d+(?:\.\d+)+)/g;
const ARXIV = /\barXiv[: ](\d{4}\.\d{4,5})(v\d+)?/g;
const RULE = /(?<![\w)\]`])\[([a-z][a-z0-9]*(?:\.[a-z0-9-]+)+)\](?![(*])/g;

/** A text of a docstring with links to papers on arXiv, releases on PyPI and the chapters of rules. Code in backticks stays as it is. */
export function linked(text, { chapterOf }, toRoot) {
  return text
    .split(/(`[^`]*`)/)
    .map((part) => (part.startsWith("`") ? part : withLinks(part, chapterOf, toRoot)))
    .join("");
}

const withLinks = (text, chapterOf, toRoot) =>
  text
    .replace(ARXIV, (cited, id, version = "") => `[${cited}](https://arxiv.org/abs/${id}${version})`)
    .replace(PYPI, (cited, name, version) => `[${cited}](https://pypi.org/project/${name}/${version}/)`)
    .replace(RULE, (cited, id) => (chapterOf.has(id) ? `[${id}](${toRoot(chapterOf.get(id))})` : cited));
