"""Counts interrupts until it reads a line, and exits with that number."""

import signal
import sys

count = 0


def interrupted(*_):
    global count
    count += 1
    print("interrupted", flush=True)


signal.signal(signal.SIGINT, interrupted)
print("ready", flush=True)
sys.stdin.readline()
sys.exit(count)
