// Which graphics card the browser has for a mode of gpu.js, asked of the browser itself: gpu.js is not loaded for it.

export const DEVICE_MODES = ["webgl2", "webgpu"] as const;
export type DeviceMode = (typeof DEVICE_MODES)[number];

export interface Adapter {
  readonly mode: DeviceMode;
  /** As the browser calls it. */
  readonly name: string;
  /** Computes on the processor what a card should. */
  readonly software: boolean;
}

/** SwiftShader is Chromium's, llvmpipe and lavapipe are Mesa's, the Basic Render Driver is Windows'. */
export const isSoftware = (name: string): boolean =>
  /swiftshader|llvmpipe|lavapipe|softpipe|basic render|software/i.test(name);

/** What this file asks of WebGPU. */
interface WebGpu {
  requestAdapter(): Promise<{
    readonly info?: Readonly<Record<string, string | boolean>>;
    readonly isFallbackAdapter?: boolean;
  } | null>;
}

function webgl2(): Adapter | string {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return "this browser has no WebGL 2 here";
  const more = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(more?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return { mode: "webgl2", name, software: isSoftware(name) };
}

async function webgpu(): Promise<Adapter | string> {
  const { gpu } = navigator as { readonly gpu?: WebGpu };
  if (!gpu) return "this browser has no WebGPU here";
  const adapter = await gpu.requestAdapter();
  if (!adapter) return "this browser offers no WebGPU adapter";
  const { info = {}, isFallbackAdapter } = adapter;
  const { vendor, architecture, device, description } = info;
  const name = [vendor, architecture, device, description].filter(Boolean).join(" ") || "an unnamed adapter";
  const fallback = info.isFallbackAdapter ?? isFallbackAdapter ?? false;
  return { mode: "webgpu", name, software: fallback === true || isSoftware(name) };
}

/** The adapter, or why there is none. */
export const adapterFor = async (mode: DeviceMode): Promise<Adapter | string> =>
  mode === "webgl2" ? webgl2() : webgpu();
