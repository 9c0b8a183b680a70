"""What others say on stderr while a model is captured: at once, in order, and all of it."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

from ipy_fastcompile import errors
from ipy_fastcompile.engine.calls.capture import capture


class Talks(nn.Module):
    """Says something on stderr, lets another thread do so, and says what has arrived."""

    def __init__(self, arrived: str, fails: bool, stop: bool) -> None:
        super().__init__()
        self.arrived, self.fails, self.stop = arrived, fails, stop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print("model", file=sys.stderr)
        thread = threading.Thread(target=lambda: print("thread", file=sys.stderr))
        thread.start()
        thread.join()
        print(repr(Path(self.arrived).read_text()), file=sys.stderr)
        if self.stop:
            raise KeyboardInterrupt
        return x + 1 if self.fails and x.sum() > 0 else x - 1


@pytest.mark.parametrize(
    ("fails", "stop", "raised"),
    [(False, False, None), (True, False, errors.CaptureError), (False, True, KeyboardInterrupt)],
)
def test_everything_is_passed_on_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fails: bool,
    stop: bool,
    raised: type[BaseException] | None,
) -> None:
    path = tmp_path / "stderr"
    with path.open("w", buffering=1) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        model = Talks(str(path), fails, stop)
        if raised is None:
            capture(model, (torch.ones(3),))
        else:
            with pytest.raises(raised):
                capture(model, (torch.ones(3),))
        assert sys.stderr is stream
    assert path.read_text().splitlines()[:3] == ["model", "thread", repr("model\nthread\n")]


def test_the_partial_graph_of_a_failure_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    class Branches(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1 if x.sum() > 0 else x - 1

    with pytest.raises(errors.CaptureError):
        capture(Branches(), (torch.ones(3),))
    assert "torch.ops.aten" not in capfd.readouterr().err
    # The user's own export says what it always says.
    with pytest.raises(Exception, match="data-dependent"):
        torch.export.export(Branches(), (torch.ones(3),), strict=False)
    assert "torch.ops.aten" in capfd.readouterr().err
