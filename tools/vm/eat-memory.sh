#!/bin/sh
# eat-memory.sh REST FILE: takes all memory that is available but REST MiB, writes to it and gives it back, over and over
# while FILE exists.
set -eu

most=$(($(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo) - $1 * 1024))
while [ -e "$2" ]; do
    # each copy writes to all of its buffer
    dd if=/dev/zero of=/dev/null bs="${most}K" count=2 status=none
done
