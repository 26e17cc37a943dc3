"""Tensors made when asked for: a full-size model's weights need not be in memory twice."""

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
