"""The stack, the marks and the memo that a pickle works on, bounded; what it may not do is said."""

from __future__ import annotations

from typing import Any

from . import limits
from .opcodes import Unparsable
from .stubs import Huge


class Stack:
    """A pickle's values; opcodes come with an argument, whether they use it or not."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.marks: list[int] = []

    def push(self, value: Any) -> None:
        """Put a value on top."""
        if len(self.stack) >= limits.MAX_STACK:
            raise Unparsable("its stack is too deep")
        self.stack.append(value)

    def pop(self) -> Any:
        """Take the value on top; nothing below the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Unparsable("it takes from an empty stack")
        return self.stack.pop()

    def pop_mark(self) -> list[Any]:
        """Take the group: all values above the last mark, which goes, too."""
        if not self.marks:
            raise Unparsable("it ends a group that it did not begin")
        start = self.marks.pop()
        group = self.stack[start:]
        del self.stack[start:]
        return group

    def top(self) -> Any:
        """The value on top."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Unparsable("it uses an empty stack")
        return self.stack[-1]

    def mark(self, argument: Any) -> None:
        """Begin a group."""
        del argument
        if len(self.marks) >= limits.MAX_STACK:
            raise Unparsable("it begins too many groups")
        self.marks.append(len(self.stack))

    def drop(self, argument: Any) -> None:
        """Forget the value on top, or the mark that is there."""
        del argument
        if self.marks and len(self.stack) == self.marks[-1]:
            self.marks.pop()  # as Python does
        else:
            self.pop()

    def drop_group(self, argument: Any) -> None:
        """Forget a group."""
        del argument
        self.pop_mark()

    def again(self, argument: Any) -> None:
        """Put the value on top there once more."""
        del argument
        self.push(self.top())

    def put(self, argument: Any) -> None:
        """Remember the value on top, under a number or the next one."""
        index = len(self.memo) if argument is None else argument
        if not isinstance(index, int) or index < 0:
            raise Unparsable("it remembers something under no number")
        if len(self.memo) >= limits.MAX_MEMO:
            raise Unparsable(f"it remembers more than {limits.MAX_MEMO} values")
        self.memo[index] = self.top()

    def get(self, argument: Any) -> None:
        """Put a remembered value on top."""
        if isinstance(argument, Huge) or argument not in self.memo:
            raise Unparsable("it recalls what it did not remember")
        self.push(self.memo[argument])
