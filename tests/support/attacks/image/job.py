"""Talks to itself over loopback, keeps a file, and reads what it was told."""
import ctypes
import os
import socket
import threading

listener = socket.create_server(("127.0.0.1", 9000))
peer = socket.create_connection(("127.0.0.1", 9000))
listener.accept()
with open("/srv/app/config") as config:
    config.read()
with open("/srv/state", "w") as state:
    state.write("x")
os.chmod("/srv/state", 0o600)
os.rename("/srv/state", "/srv/state.old")
os.unlink("/srv/state.old")
threading.Thread(target=os.getpid).start()
ctypes.CDLL(None).getpid()
