// The released packages that golden cases are checked against. A package is one file in this folder and one line here.
import type { CaseManifest } from "../../io/golden/manifest.ts";
import { quoted } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { flamingoPytorch } from "./flamingo-pytorch.ts";
import { pillow, torchvision } from "./images.ts";
import { ownEntry, requireKnown, type Source, type SystemUnderTest } from "./interface/source.ts";
import { kosmosx } from "./kosmosx.ts";
import { llmFoundry } from "./llm-foundry.ts";
import { openClip } from "./open-clip.ts";
import { openFlamingo } from "./open-flamingo.ts";
import { bitsandbytes } from "./optimizers/bitsandbytes.ts";
import { lionPytorch } from "./optimizers/lion-pytorch.ts";
import { perceiverIO } from "./perceiver-io.ts";
import { sentencepiece } from "./sentencepiece.ts";
import { torch } from "./torch/torch.ts";
import { torchscale } from "./torchscale.ts";
import { transformers } from "./transformers.ts";
import { vitPytorch } from "./vit-pytorch.ts";

export const sources: readonly Source[] = [
  flamingoPytorch,
  vitPytorch,
  openFlamingo,
  openClip,
  transformers,
  llmFoundry,
  torch,
  torchscale,
  kosmosx,
  perceiverIO,
  pillow,
  torchvision,
  sentencepiece,
  bitsandbytes,
  lionPytorch,
];

/** The part of a case's manifest that names the system under test. */
export interface CaseSubject
  extends Pick<CaseManifest, "id" | "config" | "profile">,
    Partial<Pick<CaseManifest, "flags" | "positional" | "weights">> {
  readonly source: Pick<CaseManifest["source"], "package" | "class">;
  /** Only the names of the arguments are read. */
  readonly call?: ReadonlyMap<string, unknown>;
}

function sourceNamed(name: string): Source {
  const source = sources.find((one) => one.package === name);
  if (source) return source;
  const known = sources.map((one) => one.package).join(", ");
  throw new LoadError(`there is no package ${quoted(name)}; known are ${known}  [conform.registry]`);
}

/** The name that tables group cases by: the class, or "package/class" where several packages have the class. [conform.registry] */
export function moduleName({ package: name, class: type }: CaseSubject["source"]): string {
  const owners = sources.filter(({ classes }) => Object.hasOwn(classes, type)).map((one) => one.package);
  return owners.length === 1 && owners[0] === name ? type : `${name}/${type}`;
}

/** Whether the class of a case computes in float32, whatever the precision. */
export function computesInFloat32({ package: name, class: type }: CaseSubject["source"]): boolean {
  const classes = sources.find((one) => one.package === name)?.classes ?? {};
  return (Object.hasOwn(classes, type) && classes[type]?.float32) || false;
}

/** Builds the system under test of a case. Throws a LoadError where the package, class, profile, an option or an argument is unknown. */
export function systemUnderTest({
  id,
  source: { package: name, class: type },
  config,
  profile,
  flags = [],
  positional = [],
  weights = new Map(),
  call = new Map(),
}: CaseSubject): SystemUnderTest {
  const source = sourceNamed(name);
  const entry = ownEntry(source.classes, type, `${name} has no class`);
  const behaviour = ownEntry(source.profiles, profile, `${name} has no profile`);
  for (const argument of call.keys())
    requireKnown(entry.call, argument.split(".")[0] ?? "", `${id}: the call of ${type} has no argument`);
  return entry.build(
    config,
    { file: id, field: "config" },
    { profile: behaviour, flags, positional, weights },
  );
}
