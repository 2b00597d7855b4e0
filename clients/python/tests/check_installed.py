"""Run with the installed packages: a server echoes a message."""

import halloo

with halloo.Server("den", port=0, bind="127.0.0.1", no_discovery=True) as server:
    with halloo.connect(server.url) as link:
        link.send("hello")
        while True:
            event = server.wait_event(10)
            if isinstance(event, halloo.MessageReceived):
                server.send(event.client, event.message)
                break
        assert link.recv(10) == "hello"
print("halloo.Server echoes")
