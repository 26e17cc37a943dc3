// What can be called of a declaration: a function, a constant that is one, the constructor and the methods of a class.

import { leading } from "./docstrings.mjs";
import { resolve } from "./entries.mjs";

/** The function type of a constant, which an alias of its file may name; null for other constants. */
function functionType(read, path, annotation) {
  const type = annotation?.typeAnnotation;
  if (type?.type === "TSFunctionType") return { type, path };
  if (type?.type !== "TSTypeReference") return null;
  const alias = resolve(read, path, type.typeName.name ?? "");
  const [part] = alias?.parts ?? [];
  return part?.node.type === "TSTypeAliasDeclaration"
    ? functionType(read, alias.path, { typeAnnotation: part.node.typeAnnotation })
    : null;
}

const isPublic = ({ type, accessibility, key }) =>
  /MethodDefinition/.test(type) && accessibility !== "private" && key.type !== "PrivateIdentifier";

/** Callable parts of a declaration: { member, doc, node }; the member is null for a function. */
export function callables(read, { path, parts }) {
  const { text, comments } = read(path);
  return parts.flatMap(({ node, doc }) => {
    if (/Function/.test(node.type)) return [{ member: null, doc, node }];
    if (node.type === "VariableDeclarator") {
      const found = functionType(read, path, node.id.typeAnnotation);
      return found ? [{ member: null, doc, node: found.type }] : [];
    }
    if (node.type !== "ClassDeclaration") return [];
    return node.body.body.filter(isPublic).map((method) => ({
      member: method.key.name ?? method.key.value,
      kind: method.kind,
      doc: leading(text, comments, method.start),
      node: method.value,
    }));
  });
}
