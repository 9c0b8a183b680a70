"""this package and torch -> the directories of their code, each with a separator at its end.

They are named as tracebacks name files: links are not followed.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

OWN = str(Path(__file__).parent) + os.sep
TORCH = str(Path(torch.__file__).parent) + os.sep
