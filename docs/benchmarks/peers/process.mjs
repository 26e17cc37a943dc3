// Processes that measure a package and answer questions, one line each.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A process that answers each line with a line. After it has ended, every answer is its error. `errors` is the place of its messages. */
export function start(command, args, errors = "ignore") {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", errors] });
  const waiting = [];
  let failure = null;
  const fail = (reason) => {
    failure ??= reason;
    for (const resolve of waiting.splice(0)) resolve({ error: failure });
  };
  child.on("error", (error) => fail(String(error.message)));
  child.on("close", (status) => fail(`it ended with status ${status}`));
  child.stdin.on("error", () => {});
  const ended = new Promise((resolve) => child.on("close", resolve).on("error", resolve));
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.(JSON.parse(line)));
  const next = () =>
    new Promise((resolve) => (failure === null ? waiting.push(resolve) : resolve({ error: failure })));
  const request = (question) => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    return next();
  };
  const stop = () => {
    child.stdin.end();
    return ended;
  };
  return { request, next, stop };
}
