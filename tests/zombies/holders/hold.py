"""A client that never closes: connects COUNT times to PORT and keeps the sockets until its stdin ends.

python3 hold.py PORT COUNT [deaf]

A deaf one says so when it is asked to end, and does not end.
"""

import signal
import socket
import sys

if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))

port, count = int(sys.argv[1]), int(sys.argv[2])
sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
print("connected", flush=True)
sys.stdin.read()
