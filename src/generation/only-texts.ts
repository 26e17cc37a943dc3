// Generation of one of several known texts, such as names of classes: PrefixConstrainedLogitsProcessor of transformers 4.57.6
// (generation/logits_process.py) with a trie for its function (De Cao et al., arXiv 2010.00904, §3.1).
import type { Process } from "./processors.ts";

/** The texts that begin alike: what may follow, and whether a text may end here. */
interface Node {
  readonly next: Map<number, Node>;
  ends: boolean;
}

/** The trie of texts, each a list of token ids. */
function trieOf(texts: readonly (readonly number[])[]): Node {
  const root: Node = { next: new Map(), ends: false };
  for (const text of texts) {
    let node = root;
    for (const id of text) {
      const known = node.next.get(id) ?? { next: new Map(), ends: false };
      node.next.set(id, known);
      node = known;
    }
    node.ends = true;
  }
  return root;
}

/** The node at which tokens end; undefined where they are no beginning of a text. */
function nodeAfter(root: Node, tokens: readonly number[]): Node | undefined {
  let node: Node | undefined = root;
  for (const id of tokens) node = node?.next.get(id);
  return node;
}

/**
 * Excludes all tokens but those that continue the generated ones, which begin behind `promptLength`, to one of the texts; where a text is complete, the
 * stop tokens may follow.
 */
export function onlyTexts(
  texts: readonly (readonly number[])[],
  stops: readonly number[],
  promptLength: number,
): Process {
  const root = trieOf(texts);
  return (scores, tokens) => {
    const node = nodeAfter(root, tokens.slice(promptLength));
    const allowed = new Set([...(node?.next.keys() ?? []), ...(node?.ends ? stops : [])]);
    return scores.map((score, id) => (allowed.has(id) ? score : Number.NEGATIVE_INFINITY)); // [generate.only-texts]
  };
}
