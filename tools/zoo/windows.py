"""Made-up windows of five activities: acceleration in g and rotation in rad/s, 128 samples at 50 Hz."""

import numpy as np

RATE_HZ = 50
WINDOW = 128
LABELS = ["walking", "running", "stairs", "sitting", "lying"]
SENSORS = {"acc": ["acc_x", "acc_y", "acc_z"], "gyro": ["gyro_x", "gyro_y", "gyro_z"]}
CHANNELS = [channel for channels in SENSORS.values() for channel in channels]

# of each activity: gravity (x, y, z) in g, steps a second, swing in g, rotation in rad/s
_ACTIVITIES = [
    ((0.10, -0.95, 0.20), 1.8, 0.35, 1.2),
    ((0.10, -0.90, 0.30), 2.7, 1.10, 2.5),
    ((0.25, -0.90, 0.10), 1.4, 0.25, 0.9),
    ((0.05, -0.40, 0.90), 0.3, 0.01, 0.03),
    ((0.90, -0.10, 0.40), 0.2, 0.005, 0.01),
]


def make(count, seed):
    """Returns windows [count, 6, 128] (float32) and the number of each one's label, in turns."""
    chance = np.random.default_rng(seed)
    seconds = np.arange(WINDOW) / RATE_HZ
    labels = np.arange(count) % len(LABELS)
    windows = np.empty((count, len(CHANNELS), WINDOW))
    for window, label in zip(windows, labels, strict=True):
        gravity, steps, swing, rotation = _ACTIVITIES[label]
        steps *= chance.uniform(0.9, 1.1)
        phase = chance.uniform(0, 2 * np.pi, len(CHANNELS))[:, None]
        size = np.repeat([swing, rotation], 3)[:, None] * chance.uniform(0.6, 1.4, (len(CHANNELS), 1))
        angle = 2 * np.pi * steps * seconds
        window[:] = size * (np.sin(angle + phase) + 0.4 * np.sin(2 * angle + 2 * phase))
        window[:3] += np.array(gravity)[:, None] + chance.normal(0, 0.08, (3, 1))
        window += chance.normal(0, 0.02, window.shape)
    return windows.astype(np.float32), labels
