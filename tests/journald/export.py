#!/usr/bin/env python3
"""Prints entries in the export format of the journal, every odd kind of field among them: export.py COUNT SEED [START_US]."""
import random
import struct
import sys

count, seed = int(sys.argv[1]), int(sys.argv[2])
start_us = int(sys.argv[3]) if len(sys.argv) > 3 else 1_700_000_000_000_000
draw = random.Random(seed)
out = sys.stdout.buffer
BOOTS = [f"{seed:08x}{number:024x}" for number in (1, 2)]
UNITS = ["nginx.service", "sshd.service", "cron.service", "postgresql@14-main.service", "docker.service"]


def write(name, value):
    if b"\n" in value or b"\0" in value or not is_text(value):
        out.write(name + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
    else:
        out.write(name + b"=" + value + b"\n")


def is_text(value):
    try:
        return value.decode().isprintable()
    except UnicodeDecodeError:
        return False


def message(number):
    kind = number % 40
    if kind == 7:
        return b"two lines\nof one entry %d" % number
    if kind == 13:
        return bytes(draw.randrange(256) for _ in range(60))
    if kind == 19:
        return b"caf\xe9 in Latin-1, number %d" % number
    if kind == 23:
        return b"long and compressible %d " % number * 40
    if kind == 29:
        return b""
    if kind == 31:
        return b"\0\x1f\\ control %d" % number
    return b"GET /items/%d?session=%08x HTTP/1.1 took %d ms" % (number, draw.getrandbits(32), draw.randrange(900))


for number in range(count):
    time_us = start_us + number * 1000 + draw.randrange(1000)
    unit = UNITS[draw.randrange(len(UNITS))].encode()
    out.write(b"__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n" % (time_us, 5_000_000 + number * 1000))
    out.write(b"_BOOT_ID=" + BOOTS[number * 2 // max(count, 1)].encode() + b"\n")
    write(b"_MACHINE_ID", b"%032x" % seed)
    write(b"_HOSTNAME", b"testhost")
    write(b"PRIORITY", b"%d" % draw.choice([6, 6, 6, 5, 4, 3, 7]))
    transport = draw.choice([b"journal", b"stdout", b"syslog"])
    write(b"_TRANSPORT", b"kernel" if number % 17 == 3 else transport)
    if number % 17 == 3:
        write(b"SYSLOG_IDENTIFIER", b"kernel")
    else:
        if number % 11:
            write(b"_SYSTEMD_UNIT", unit)
        write(b"SYSLOG_IDENTIFIER", unit.split(b".")[0].split(b"@")[0])
        write(b"_PID", b"%d" % draw.randrange(1, 400))
        write(b"_COMM", unit.split(b".")[0][:15])
    if number % 3 == 0:
        write(b"_SOURCE_REALTIME_TIMESTAMP", b"%d" % (time_us - 17))
    if number % 5 == 0:
        write(b"CODE_FILE", b"../src/main.c")
        write(b"CODE_LINE", b"%d" % draw.randrange(500))
    if number % 9 == 4:
        write(b"TAG", b"one")
        write(b"TAG", b"two")
    if number % 27 == 5:
        write(b"TAG", b"same")
        write(b"TAG", b"same")
    if number % 21 == 6:
        write(b"EMPTY", b"")
        write(b"BLOB", bytes(draw.randrange(256) for _ in range(90)))
    if number % 20011 == 100:
        write(b"LARGE", b"a mebibyte, and more" * 53_000)
    if number % 100 != 50:
        write(b"MESSAGE", message(number))
    out.write(b"\n")
