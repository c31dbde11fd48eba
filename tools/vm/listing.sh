#!/bin/sh
# Everything that a package could leave behind, a line each: files with kind, mode, owner and target; what stands in
# /etc; users and groups. To be compared with the same from before the installation.
set -eu

# Temporary files, the journal, dpkg's account of what it did, copies that programs make of the user database before
# they change it, and two directories of systemd's own, in which it keeps those of all services without a fixed user.
find / -xdev \( -path /tmp -o -path /var/tmp -o -path /var/log/journal -o -path /var/lib/dpkg \) -prune -o \
    ! -path /var/log/dpkg.log ! -path /etc/.pwd.lock ! -path '/etc/*-' ! -path /var/lib/private ! -path /var/log/private \
    -printf 'file %p %y %#m %U:%G %l\n'
# the user database by its own means: who comes and goes leaves other lines in another order
find /etc -type f ! -name '*-' ! -name passwd ! -name group ! -name shadow ! -name gshadow -exec sha256sum {} +
getent passwd
getent group
