"""A Gateway that is no Java: listens, and keeps one half-closed socket until its stdin ends.

python3 listen.py client|gateway

`client`: it is its own client too, and that end was not closed. `gateway`: its client has closed, it has not.
"""

import socket
import sys

listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
gateway, _ = listener.accept()
(gateway if sys.argv[1] == "client" else client).close()
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
