// flamboyance perceiver
import { progressOn } from "../../terminal/progress.ts";
import { readArguments } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import { PERCEIVER } from "../help/perceiver.ts";
import { PERCEIVER_OPTIONS, requestOf } from "../perceiver/request.ts";
import { resultText } from "../perceiver/result.ts";
import { RUN } from "../perceiver/tasks.ts";
import { paintOn, widthOn, writeError, writeJson, writeOut } from "../terminal.ts";

export async function perceiver(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, PERCEIVER_OPTIONS);
  if (values.help) {
    writeOut(PERCEIVER);
    return 0;
  }
  const request = requestOf(values, positionals);
  const isRandom = request.weights === undefined;
  const backend = await openBackend(request.backend);
  const progress = progressOn(process.stderr);
  try {
    const result = await RUN[request.task]({ request, backend, onStep: progress.step });
    progress.clear();
    if (isRandom)
      writeError(
        `RANDOM WEIGHTS (seed ${request.seed}): the result has the right shape and no meaning;\n--model names a checkpoint.\n${request.json ? "" : "\n"}`,
      );
    const weights = isRandom
      ? { random: true, seed: request.seed }
      : { random: false, model: request.weights };
    if (request.json) writeJson({ task: request.task, weights, ...result.document });
    else writeOut(`${resultText(result, isRandom, paintOn(process.stdout), widthOn(process.stdout))}\n`);
    return 0;
  } finally {
    progress.clear();
    await backend.close();
  }
}
