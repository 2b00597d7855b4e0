"""Finds halloo servers on the local network, and stays connected to them.

    import halloo

    link = halloo.connect("living-room")
    link.send("hello")
    message = link.recv(1)
"""

from ._errors import HallooError
from ._link import Link, connect
from ._search import Server, discover
