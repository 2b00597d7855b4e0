"""Where the program ``halloo`` is."""

import os
import shutil
from importlib.metadata import PackageNotFoundError, files

from ._errors import ProgramNotFound

_WHEEL = "halloo-bin"


def find_program() -> str:
    """Return the path of the program: that of the package halloo-bin, else the one on ``PATH``."""
    name = "halloo.exe" if os.name == "nt" else "halloo"
    try:
        installed = files(_WHEEL) or []
    except PackageNotFoundError:
        installed = []
    for file in installed:
        path = os.path.normpath(str(file.locate()))
        if file.name == name and os.path.isfile(path):
            return path
    found = shutil.which("halloo")
    if found is None:
        raise ProgramNotFound(
            "the program `halloo` is neither installed as the package halloo-bin nor on PATH; in the repository of halloo, run"
            " `pip install ./clients/python-bin`, or `cargo install --path crates/halloo-cli`"
        )
    return found
