// The mask convention that the source of a golden case follows. The registry needs the models of all sources, and this file only their
// conventions.
import type { CaseManifest } from "../../../io/golden/manifest.ts";
import { conventionOf, type NamedConvention } from "../../../masks/conventions/conventions.ts";
import { conventionIn } from "../../../masks/conventions/pair.ts";
import { profiles } from "../../../models/flamingo/profiles.ts";
import { type Release, releases } from "../open-flamingo/releases.ts";
import { ownEntry } from "./source.ts";

/** The convention of a case; null where its package has no masks, or is not registered. Throws a LoadError for an unknown profile. */
export function conventionOfCase({
  source: { package: name, class: type },
  profile,
  config: { only_attend_immediate_media, attend_previous },
}: CaseManifest): NamedConvention | null {
  if (name === "open-flamingo") {
    const { block, next } = ownEntry<Release>(releases, profile, `${name} has no profile`);
    const isNext = type === "Flamingo" || attend_previous === false; // the model passes attend_previous=False
    return conventionIn((isNext && next) || block, only_attend_immediate_media); // [prompt.source]
  }
  if (name !== "flamingo-pytorch") return null;
  const behaviour = ownEntry(profiles, profile, `${name} has no profile`);
  return conventionOf(conventionIn(behaviour, only_attend_immediate_media).name); // [prompt.source]
}
