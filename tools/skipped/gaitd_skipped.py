"""A plugin of pytest: tests that are skipped say so in the file that GAITD_SKIPPED names, as the Rust tests do."""

import os


def pytest_runtest_logreport(report) -> None:
    """Writes a line for a test that checked nothing: its name, a tab, the reason."""
    path = os.environ.get("GAITD_SKIPPED")
    # one that is expected to fail has checked something
    if path and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        line = f"{report.nodeid}\t{reason.removeprefix('Skipped: ').removeprefix('SKIPPED: ')}"
        with open(path, "a", encoding="utf-8") as file:
            file.write(line.replace("\n", " ") + "\n")
