"""The version of this package, which every artifact and every key of the cache names."""

__version__ = "0.1.0"
