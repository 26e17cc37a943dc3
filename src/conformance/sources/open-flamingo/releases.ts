// The releases of open-flamingo as cases name them. Version 0.1.1 is a tag of the repository, at the commit that PyPI has as 0.0.2.
import { conventions, type NamedConvention } from "../../../masks/conventions/conventions.ts";
import type { ConventionPair } from "../../../masks/conventions/pair.ts";
import type { OpenFlamingoProfile } from "../../../models/open-flamingo/profiles.ts";

export interface Release {
  /** The profile of the whole model. */
  readonly name: OpenFlamingoProfile;
  /** The mask of a block by itself. */
  readonly block: ConventionPair<NamedConvention>;
  /** The mask of a block whose call has `attend_previous=False`, where the release has that argument: text sees the next image. */
  readonly next: ConventionPair<NamedConvention> | null;
}

const inclusive: ConventionPair<NamedConvention> = {
  immediate: conventions["open-flamingo@2.0.1"],
  allPrevious: conventions["open-flamingo@2.0.1 all-previous"],
};

const nextImage = conventions["open-flamingo@0.0.2"];

export const releases = {
  "open-flamingo@2.0.1": { name: "open-flamingo@2.0.1", block: inclusive, next: null },
  "open-flamingo@0.1.1": {
    name: "open-flamingo@0.1.1",
    block: inclusive,
    next: {
      immediate: nextImage,
      allPrevious: { ...nextImage, compare: "at-least", zeroBeforeFirstImage: false },
    },
  },
} as const satisfies Readonly<Record<string, Release>>;
