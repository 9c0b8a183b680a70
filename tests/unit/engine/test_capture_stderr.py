"""What others say on stderr while a model is captured: at once, in order, and all of it."""

from __future__ import annotations

import sys
import threading

import pytest
import torch
from torch import nn

from ipy_fastcompile import errors
from ipy_fastcompile.engine.capture import capture

HEARD: list[str] = []  # not the model's: what a capture changes there may be undone


class Talks(nn.Module):
    """Says something on stderr, lets another thread do so, and looks at what has arrived."""

    def __init__(self, capsys: pytest.CaptureFixture[str], fails: bool, stop: bool) -> None:
        super().__init__()
        self.capsys, self.fails, self.stop = capsys, fails, stop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print("model", file=sys.stderr)
        thread = threading.Thread(target=lambda: print("thread", file=sys.stderr))
        thread.start()
        thread.join()
        print("model again", file=sys.stderr)
        HEARD.append(self.capsys.readouterr().err)
        if self.stop:
            raise KeyboardInterrupt
        return x + 1 if self.fails and x.sum() > 0 else x - 1


@pytest.mark.parametrize(
    ("fails", "stop", "raised"),
    [(False, False, None), (True, False, errors.CaptureError), (False, True, KeyboardInterrupt)],
)
def test_everything_is_passed_on_at_once(
    capsys: pytest.CaptureFixture[str], fails: bool, stop: bool, raised: type[BaseException] | None
) -> None:
    before, model = sys.stderr, Talks(capsys, fails, stop)
    HEARD.clear()
    if raised is None:
        capture(model, (torch.ones(3),))
    else:
        with pytest.raises(raised):
            capture(model, (torch.ones(3),))
    assert HEARD[0] == "model\nthread\nmodel again\n"
    assert sys.stderr is before


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
