from __future__ import annotations

import pytest

from ipy_fastcompile.errors import InputError
from ipy_fastcompile.verification.sizes import read_sizes


def test_sizes_are_read_from_words() -> None:
    assert read_sizes([]) is None
    assert read_sizes(["seq=2,64", "batch=1", "seq=3"]) == {"seq": [2, 64, 3], "batch": [1]}
    for wrong in ("seq", "seq=", "seq=a", "2=seq"):
        with pytest.raises(InputError, match="seq=2,64"):
            read_sizes([wrong])
