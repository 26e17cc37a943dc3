"""torchscale at commit 4d1e0e8 of its repository, which is later than the last release and places norms by other rules. A checkout's modules
go before those of the release that is installed."""

import importlib.metadata
from pathlib import Path

from ..torchscale import flags, source
from ..torchscale.decoder import CLASSES

COMMIT = "4d1e0e8"


class TorchscaleCommit(source.Torchscale):
    package, profile = f"torchscale-{COMMIT}", f"torchscale@{COMMIT}"  # the folder; cases name the package
    classes = dict.fromkeys(CLASSES, source.of_config)

    def __init__(self, file):
        super().__init__(file)
        released = Path(source.__file__).parent
        self.axes, self.rules = (self.table(name, released) for name in ("axes", "rules"))

    def versions(self):
        return COMMIT, importlib.metadata.version("torch").split("+")[0], {"package": "torchscale"}

    def flags(self, case, inputs, weights, expected):
        return flags.flags(case, inputs, release_places_norms=False)


SOURCE = TorchscaleCommit(__file__)
