import network
import time

import halloo

wifi = network.WLAN(network.STA_IF)
wifi.active(True)
wifi.connect("network", "password")
while not wifi.isconnected():
    time.sleep(0.1)

with halloo.connect("living-room", timeout=60) as link:
    link.send("hello")
    for message in link:
        print(message)
