"""Types Ctrl-C to a program in a terminal: terminal.py COMMAND...

Waits until the program prints "ready", types Ctrl-C, waits until it prints
"interrupted", types a line, and prints what the program has printed since. The
exit status is the program's.
"""

import os
import pty
import sys
import time

child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])

seen = b""


def more():
    global seen
    try:
        read = os.read(terminal, 4096)
    except OSError:  # Linux's way to say that it has ended
        read = b""
    seen += read
    return read != b""


for awaited, typed in ((b"ready", b"\x03"), (b"interrupted", b"q\n")):
    while awaited not in seen:
        if not more():
            sys.exit(f"it has ended: {seen!r}")
    if awaited == b"interrupted":
        time.sleep(0.2)  # for a second interrupt, which must not come
    os.write(terminal, typed)
while more():
    pass
sys.stdout.write(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
