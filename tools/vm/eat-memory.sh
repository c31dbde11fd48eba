#!/bin/sh
# eat-memory.sh TIMES FILE: takes as much memory as the machine has, which is more than is free, so that the kernel has
# to end the eater; as often as that. Makes FILE when it is over.
set -u

# more than there is at all would be refused at once
all=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
for attack in $(seq "$1"); do
    # each copy writes to all of its buffer
    dd if=/dev/zero of=/dev/null bs="${all}K" count=4
done
touch "$2"
