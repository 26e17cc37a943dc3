// What the docstrings of exports lack: a description, shapes, errors, sources.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "../../architecture/syntax.mjs";
import { repository } from "../../architecture/tree.mjs";
import { shapesOf, spelledOut } from "../pages/signatures.mjs";
import { topicOf } from "../pages/topics.mjs";
import { callables } from "../reading/callables.mjs";
import { errorsNamed, partsOf, throwsAs } from "../reading/docstrings.mjs";
import { declarationFiles, entries, sourceOf } from "../reading/entries.mjs";
import { thrown } from "./errors.mjs";

/** Folders whose classes and functions compute what a paper or a package defines. */
const SOURCED = /^src\/(nn|blocks|models|training\/optimizers|evaluation\/scorers)\//;

const docsOf = ({ parts }) => parts.map(({ doc }) => doc).filter((doc) => doc !== null);
const place = ({ path, exported }) => `${sourceOf(path)} ${exported}`;

function description(_, one) {
  return docsOf(one).some((doc) => partsOf(doc).text !== "") ? [] : [`${place(one)} has no docstring`];
}

function shapes({ read }, one) {
  const all = callables(read, one);
  return all.flatMap(({ member, node }) => {
    const arrays = shapesOf(node);
    const overloads = all.filter((other) => other.member === member && other.doc !== null);
    const isNamed = overloads.some(({ doc }) => partsOf(doc).shapes.length > 0);
    if (arrays === null || isNamed || member === "constructor" || spelledOut(arrays)) return [];
    return [`${place(one)}${member === null ? "" : `.${member}`} does not name its shapes`];
  });
}

function errors({ read, sources }, one) {
  const ofMembers = new Map(callables(read, one).map(({ member, doc }) => [member, doc ?? ""]));
  const common = docsOf(one).join("\n\n");
  return thrown(sources(sourceOf(one.path)), one.name).flatMap(({ member, errors: actual }) => {
    const docs = member === null ? [common] : [common, ofMembers.get(member) ?? ""];
    if (docs.some(throwsAs)) return [];
    const named = new Set(docs.flatMap((doc) => [...errorsNamed(doc)]));
    const missing = [...actual].filter((error) => !named.has(error));
    const what = `${place(one)}${member === null ? "" : `.${member}`}`;
    return missing.map((error) => `${what} does not name the ${error} that it throws`);
  });
}

function source(_, one) {
  const [{ node }] = one.parts;
  const isSourced =
    SOURCED.test(sourceOf(one.path)) && node.type === "ClassDeclaration" && !/Error$/.test(one.name);
  const isNamed = docsOf(one).some((doc) => partsOf(doc).sources.length > 0);
  return isSourced && !isNamed ? [`${place(one)} does not name its source`] : [];
}

function topic(_, one) {
  return topicOf(sourceOf(one.path)) === null
    ? [`${place(one)} has no topic in spec/support/api/pages/topics.mjs`]
    : [];
}

const CHECKS = [description, shapes, errors, source, topic];

/** Everything that the docstrings of the exports lack, as sentences that begin with the source. */
export function findings(root = repository) {
  const read = declarationFiles(root);
  const sources = (path) => parse(path, readFileSync(join(root, path), "utf8"));
  const all = entries(read, root).flatMap(({ exports }) => exports);
  const found = all.flatMap((one) => CHECKS.flatMap((check) => check({ read, sources }, one)));
  return [...new Set(found)].sort();
}
