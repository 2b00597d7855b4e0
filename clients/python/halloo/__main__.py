"""``python -m halloo`` is the program ``halloo``."""

import os
import signal
import subprocess
import sys

from ._errors import ProgramNotFound
from ._program import find_program


def main() -> None:
    """Become the program, with the same arguments."""
    try:
        command = [find_program(), *sys.argv[1:]]
    except ProgramNotFound as error:
        sys.exit(f"error: {error}")
    if os.name != "nt":
        os.execv(command[0], command)
    # Windows cannot replace a process. Ctrl-C reaches the program as well, which decides what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(subprocess.call(command))


if __name__ == "__main__":
    main()
