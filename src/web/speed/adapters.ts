// The graphics adapter that the browser offers for a mode of gpu.js, found without loading gpu.js.

export const DEVICE_MODES = ["webgl2", "webgpu"] as const;
export type DeviceMode = (typeof DEVICE_MODES)[number];

export interface Adapter {
  readonly mode: DeviceMode;
  /** As the browser reports it. */
  readonly name: string;
  /** Whether the adapter computes on the processor. */
  readonly software: boolean;
}

/** Recognises SwiftShader (Chromium), llvmpipe, lavapipe and softpipe (Mesa) and the Basic Render Driver (Windows). */
export const isSoftware = (name: string): boolean =>
  /swiftshader|llvmpipe|lavapipe|softpipe|basic render|software/i.test(name);

/** The part of WebGPU that this file uses. */
interface WebGpu {
  requestAdapter(): Promise<{
    readonly info?: Readonly<Record<string, string | boolean>>;
    readonly isFallbackAdapter?: boolean;
  } | null>;
}

function webgl2(): Adapter | string {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return "this browser does not offer WebGL 2";
  const more = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(more?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return { mode: "webgl2", name, software: isSoftware(name) };
}

async function webgpu(): Promise<Adapter | string> {
  const { gpu } = navigator as { readonly gpu?: WebGpu };
  if (!gpu) return "this browser does not offer WebGPU";
  const adapter = await gpu.requestAdapter();
  if (!adapter) return "this browser offers no WebGPU adapter";
  const { info = {}, isFallbackAdapter } = adapter;
  const { vendor, architecture, device, description } = info;
  const name = [vendor, architecture, device, description].filter(Boolean).join(" ") || "an unnamed adapter";
  const fallback = info.isFallbackAdapter ?? isFallbackAdapter ?? false;
  return { mode: "webgpu", name, software: fallback === true || isSoftware(name) };
}

/** The adapter, or the reason why there is none. */
export const adapterFor = async (mode: DeviceMode): Promise<Adapter | string> =>
  mode === "webgl2" ? webgl2() : webgpu();
