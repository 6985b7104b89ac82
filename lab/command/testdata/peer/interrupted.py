"""Counts interrupts until it reads a line, and exits with 10 and that number."""

import os
import signal
import sys

count = 0


def interrupted(*_):
    global count
    count += 1
    os.write(1, b"interrupted\n")


signal.signal(signal.SIGINT, interrupted)
os.write(1, b"ready\n")
sys.stdin.readline()
sys.exit(10 + count)
