"""flamingo-mini, which no package registry has: its masks, from a checkout of its repository."""

from ..masks.source import ENTRIES, MaskSource

SOURCE = MaskSource(__file__, [entry for entry in ENTRIES if entry["package"] == "flamingo-mini"])
