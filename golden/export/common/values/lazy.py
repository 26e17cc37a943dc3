"""A mapping whose values are made each time they are read, so that a full-size model's weights are not held in memory twice."""

from collections.abc import Mapping


class Lazy(Mapping):
    def __init__(self, names, make):
        self.names, self.make = list(names), make

    def __getitem__(self, name):
        return self.make(name)

    def __iter__(self):
        return iter(self.names)

    def __len__(self):
        return len(self.names)
