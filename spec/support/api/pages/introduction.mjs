// The text at the head of the index.
export const INTRODUCTION = `# API reference

One page for each entry of the package, generated from the docstrings. Every name is described on one page, with its signature, its shapes, the errors that it throws, its
source, and links to its code and to the chapter whose rules the code implements. The tests of a chapter are in the file beside it that has the same name and ends in \`.spec.ts\`.

Shapes are written as axis names: \`b l d\` is a batch of texts of \`l\` tokens of width \`d\`. Equal names are equal sizes, \`...\` stands for any leading axes, and \`→\` precedes the shape of
the result. Where a type spells the axes out, as \`Tensor<"b l d">\` does, the compiler checks them.

An error that a description does not name is a \`Bug\`: a mistake in this package.`;
