"""Fixtures: a made-up data set, a tiny trained ladder, and the real data where it is."""

import os

# Tiny networks and fits gain nothing from many threads and lose much on a busy machine. The libraries read
# this when they are imported; processes that the tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from pathlib import Path

import pytest
import torch

from gaitd_train import demo
from gaitd_train.cli import main

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session", autouse=True)
def _few_threads():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def windows(tmp_path_factory) -> Path:
    """A prepared file of synthetic windows."""
    path = tmp_path_factory.mktemp("data") / "windows.npz"
    demo.write_data(path)
    return path


@pytest.fixture(scope="session")
def demo_ladder(tmp_path_factory) -> Path:
    """What `gaitd-train demo-ladder` leaves: `ladder/` and `work/`."""
    folder = tmp_path_factory.mktemp("demo")
    assert main(["demo-ladder", "--out", str(folder / "ladder"), "--work", str(folder / "work")]) == 0
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the real data sets; tests that need it are skipped without."""
    folder = Path(os.environ.get("GAITD_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "uci_har.npz").is_file():
        pytest.skip(f"SKIPPED: no real data in {folder}; set GAITD_DATA to the folder that holds uci_har.npz")
    return folder
