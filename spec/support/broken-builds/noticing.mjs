// The thread of build.ts: imports a bundle, and posts the folders of cases that do not conform in it.
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";

const { bundle, folders, backendName } = workerData;
const { reference, simd, gpu, readCase, checkCase } = await import(pathToFileURL(bundle).href);

/** The kernels run without fused multiply-add, which some engines do not have. */
function opened() {
  if (backendName === "simd") return simd({ threads: 1, relaxed: false });
  return backendName === "gpu cpu" ? gpu({ mode: "cpu" }) : reference(backendName);
}

const backend = await opened();
const found = [];
for (const folder of folders) {
  const golden = readCase(folder);
  if ((await checkCase(golden, backend)).status !== "passed") found.push(folder);
  golden.close();
}
await backend.close();
parentPort.postMessage(found);
