// The commands of docs/guides/36-evaluation.md, run one after another in an empty folder. The models of the page take minutes to train and to download; here small
// ones stand in their places.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { bytesOf, chainOf, writeChainFolder } from "../../support/fixtures/folders/chain-folder.ts";
import {
  END_OF_CHUNK,
  writeFlamingoFolder,
  writePicture,
} from "../../support/fixtures/folders/flamingo-folder.ts";
import { temporary } from "../../support/fixtures/temporary.ts";

const folder = temporary();
const page = readFileSync("docs/guides/36-evaluation.md", "utf8");
const blocks = [...page.matchAll(/```(sh|)\n([^`]*)```/g)].map(([, kind, text = ""]) => ({ kind, text }));
/** What the page runs, but for the training, each with what it shows below, if anything. */
const steps = blocks.flatMap(({ kind, text }, i) =>
  kind === "sh" && !text.includes("flamboyance train")
    ? [{ script: text, shown: blocks[i + 1]?.kind === "" ? (blocks[i + 1]?.text ?? null) : null }]
    : [],
);
/** The file of the command line, as the page names it. */
const NPX = `npx() { shift; "${process.execPath}" "${resolve("dist/cli/main.js")}" "$@"; }`;
/** A text with all numbers as 0 and all runs of spaces as one, because other models have other scores. */
const form = (text: string): string =>
  text
    .replace(/\d+\.\d+/g, "0")
    .replace(/ +/g, " ")
    .trimEnd();

beforeAll(async () => {
  mkdirSync(join(folder, "run", "pictures"), { recursive: true });
  const run = chainOf([[...bytesOf(':"a f'), END_OF_CHUNK]], []);
  await writeFlamingoFolder(join(folder, "run"), run, 0);
  writeChainFolder(join(folder, "smollm2"), { chain: chainOf([bytesOf("s w")]) });
  const named = new Set(page.match(/run\/pictures\/[\w-]+\.png/g));
  for (const [i, path] of [...named].entries()) await writePicture(join(folder, path), i + 1);
});

describe("the page on evaluation", () => {
  test("has its commands and what they print", () => {
    expect(steps.length).toBe(6);
    expect(steps.filter(({ shown }) => shown !== null).length).toBe(4);
  });

  test.each(steps.map((step, i) => ({ ...step, i })))(
    "step $i runs, and prints what it shows",
    ({ script, shown }) => {
      const { status, stdout, stderr } = spawnSync("bash", ["-ec", `${NPX}\n${script}`], {
        cwd: folder,
        encoding: "utf8",
      });
      expect([status, stderr]).toEqual([0, ""]);
      if (shown !== null) expect(form(stdout)).toBe(form(shown));
    },
  );
});
