#!/bin/sh
# Pretends that a BMI160 is there, for `gaitd iio` on a real kernel without a sensor: the kernel's own driver, on a chip
# that is a piece of memory (i2c-stub). It lies still, x up, and turns around x at 1.065 rad/s. As root, where the modules
# i2c-stub and bmi160_i2c and the program i2cset (package i2c-tools) are:
#
#   tools/iio/pretend.sh on; gaitd iio --list; gaitd iio --seconds 2; tools/iio/pretend.sh off
set -eu

address=0x69

bus() {
    name=$(grep -l 'SMBus stub driver' /sys/bus/i2c/devices/i2c-*/name)
    name=${name%/name}
    echo "${name##*-}"
}

case "${1:-}" in
on)
    modprobe bmi160_i2c
    modprobe i2c-dev
    modprobe i2c-stub chip_addr=$address
    # chip, rates and ranges as after a reset, the gyroscope's x 1000, the accelerometer's 16384, 0, 0
    for register in 0x00=0xd1 0x40=0x28 0x41=0x03 0x42=0x28 0x43=0x00 0x0c=0xe8 0x0d=0x03 0x12=0x00 0x13=0x40; do
        i2cset -y "$(bus)" $address "${register%=*}" "${register#*=}"
    done
    echo bmi160 $address >"/sys/bus/i2c/devices/i2c-$(bus)/new_device"
    ;;
off)
    echo $address >"/sys/bus/i2c/devices/i2c-$(bus)/delete_device"
    modprobe -r i2c-stub
    ;;
*)
    echo "usage: $0 on|off" >&2
    exit 64
    ;;
esac
