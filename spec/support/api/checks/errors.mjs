// The errors that a function of a source throws, as far as its own file shows.
import { visit } from "../../architecture/syntax.mjs";
import { sourceSpan } from "../reading/spans.mjs";

/** Functions of other files that check arguments, and what each checks. */
const CHECKERS = {
  checked: "options",
  checkValue: "options",
  checkGiven: "options",
  checkMember: "options",
  shapes: "shapes",
  named: "shapes",
};
/** A mistake in this package; no caller needs to know of it. */
const INTERNAL = "Bug";

const FUNCTION = /Function/;

/** The functions that a file declares at its top, by name. */
function functionsOf({ program }) {
  const all = new Map();
  for (const statement of program.body) {
    const declared = statement.declaration ?? statement;
    if (FUNCTION.test(declared.type) && declared.id && declared.body) all.set(declared.id.name, declared);
    for (const { id, init } of declared.declarations ?? [])
      if (init && FUNCTION.test(init.type)) all.set(id.name, init);
  }
  return all;
}

/** What a body throws itself (errors) and has checked by others (checks). What a try block throws is caught, and does not count. */
function thrownBy(node, { functions, methods }, seen = new Set()) {
  const errors = new Set();
  const checks = new Set();
  const follow = (target) => {
    if (target === undefined || seen.has(target)) return;
    seen.add(target);
    const there = thrownBy(target, { functions, methods }, seen);
    for (const error of there.errors) errors.add(error);
    for (const check of there.checks) checks.add(check);
  };
  visit(node, ({ type, argument, callee, handler, finalizer }) => {
    if (type === "TryStatement" && handler) {
      for (const part of [handler, finalizer]) if (part) follow(part);
      return false;
    }
    if (type === "ThrowStatement" && argument.type === "NewExpression") errors.add(argument.callee.name);
    if (type !== "CallExpression") return;
    if (callee.type === "Identifier") {
      if (Object.hasOwn(CHECKERS, callee.name)) checks.add(CHECKERS[callee.name]);
      follow(functions.get(callee.name));
    }
    if (callee.type === "MemberExpression" && callee.object.type === "ThisExpression")
      follow(methods.get(callee.property.name));
  });
  errors.delete(INTERNAL);
  return { errors, checks };
}

/** The errors thrown by each callable part of a declared name: [{ member, errors, checks }]; the member is null for a function. */
export function thrown(source, name) {
  const functions = functionsOf(source);
  const span = sourceSpan(source.path, source.text, name);
  return (span?.statements ?? []).flatMap((statement) => {
    const declared = statement.declaration ?? statement;
    if (declared.type === "ClassDeclaration") {
      const members = declared.body.body.filter(({ type }) => type === "MethodDefinition");
      const methods = new Map(members.map(({ key, value }) => [key.name, value]));
      return members
        .filter(({ key, accessibility }) => key.type !== "PrivateIdentifier" && accessibility !== "private")
        .map(({ key, value }) => ({
          member: key.name ?? key.value,
          ...thrownBy(value, { functions, methods }),
        }));
    }
    const found = functions.get(name);
    return found ? [{ member: null, ...thrownBy(found, { functions, methods: new Map() }) }] : [];
  });
}
