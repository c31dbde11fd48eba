#!/usr/bin/env python3
"""Writes the samples of an MPU-6050 as a stream that gaitd reads.

    python3 sensor.py | gaitd run --source -          # live, on a board with the sensor on I2C bus 1
    python3 sensor.py --pretend 10 > samples.csv      # without a sensor: ten seconds of somebody who sways

What matters for any other sensor: a header with names and units, the time of each sample from a clock that only goes
on, and each line flushed as it is written. The rate need not be exact; gaitd goes by the times.
"""

import argparse
import math
import sys
import time

HEADER = "t,acc_x [g],acc_y [g],acc_z [g],gyro_x [deg/s],gyro_y [deg/s],gyro_z [deg/s]"
RATE_HZ = 50


class Mpu6050:
    """Registers and scales are those of the data sheet: 0x3B on, 16384 to a g, 131 to a degree a second."""

    def __init__(self, bus, address=0x68):
        from smbus2 import SMBus

        self.bus, self.address = SMBus(bus), address
        self.bus.write_byte_data(address, 0x6B, 0)  # awake
        # low pass at 44 Hz, so that little folds back at 50 samples a second
        self.bus.write_byte_data(address, 0x1A, 3)

    def read(self, _now):
        block = bytes(self.bus.read_i2c_block_data(self.address, 0x3B, 14))
        values = [int.from_bytes(block[at : at + 2], "big", signed=True) for at in range(0, 14, 2)]
        acc, gyro = values[:3], values[4:]  # the temperature lies between them
        return [value / 16384 for value in acc] + [value / 131 for value in gyro]


class Pretended:
    """Nobody's sensor: x up, as at the waist, with a little sway and noise."""

    def __init__(self):
        import random

        self.noise = random.Random(4).gauss

    def read(self, now):
        sway = 0.05 * math.sin(2 * math.pi * 0.3 * now)
        values = [math.cos(sway), math.sin(sway), 0.02, 0.0, 0.0, math.degrees(sway)]
        return [value + self.noise(0, 0.004) for value in values]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bus", type=int, default=1, help="number of the I2C bus [default: 1]")
    parser.add_argument("--pretend", type=float, metavar="SECONDS", help="make up so many seconds, at once")
    args = parser.parse_args()
    try:
        sensor = Pretended() if args.pretend else Mpu6050(args.bus)
    except ImportError:
        sys.exit("sensor.py: smbus2 is missing: sudo apt install python3-smbus2 (or pip install smbus2)")
    except OSError as error:
        sys.exit(f"sensor.py: no MPU-6050 on I2C bus {args.bus}: {error}; is it wired, and the bus switched on?")
    print(HEADER, flush=True)
    start, sample = time.monotonic(), 0
    while args.pretend is None or sample < args.pretend * RATE_HZ:
        due = sample / RATE_HZ
        if args.pretend is None:
            time.sleep(max(0.0, start + due - time.monotonic()))
        now = due if args.pretend else time.monotonic() - start
        print(f"{now:.4f}," + ",".join(f"{value:.4f}" for value in sensor.read(now)), flush=True)
        sample += 1


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        sys.stderr.close()  # gaitd has gone, or the user wants to
