"""A request -> a process of its own -> its answer; nothing that it started is left over."""
