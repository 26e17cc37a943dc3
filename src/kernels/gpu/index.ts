// The gpu.js backend, in float32: on the processor (webasm, cpu) or on a graphics card (webgl2, webgpu, headlessgl).
import type { Backend } from "../backend.ts";
import { checkOption, checkOptions } from "../checks.ts";
import { deviceBackend } from "./device-modes/backend.ts";
import { GpuDevice, isDeviceMode } from "./device-modes/gpu-device.ts";
import { type GpuMode, MODES } from "./gpu-js.ts";
import { hostBackend } from "./host-modes/backend.ts";
import { openHostDevice } from "./host-modes/host-device.ts";

export type { GpuMode } from "./gpu-js.ts";

/**
 * Opens gpu.js in a mode. Throws a RuleError for an unknown option or mode, and a LoadError if gpu.js is not installed or does not
 * support the mode on this machine.
 */
export async function gpu(options: { readonly mode?: GpuMode | undefined } = {}): Promise<Backend> {
  checkOptions("gpu", options, ["mode"]);
  checkOption("gpu", options, "mode", `one of ${MODES.join(", ")}`, (mode) =>
    MODES.some((known) => known === mode),
  );
  const { mode = "webasm" } = options;
  if (isDeviceMode(mode)) return deviceBackend(await GpuDevice.open(mode));
  return hostBackend(await openHostDevice(mode));
}
