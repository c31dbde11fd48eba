#!/bin/sh
# eat-memory.sh TIMES FILE: takes almost as much memory as the machine has, which is more than is free, so that the
# kernel has to end the eater; as often as that. Makes FILE when it is over.
set -u

# what could never fit would be refused at once
most=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
for attack in $(seq "$1"); do
    # each copy writes to all of its buffer
    dd if=/dev/zero of=/dev/null bs="$((most * 19 / 20))K" count=4
done
touch "$2"
