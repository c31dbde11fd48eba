"""Takes the screenshot of the dashboard in the README.

    python tools/browser/screenshot.py --gaitd target/release/gaitd --out docs/dashboard.png

A daemon on a simulated wearer runs for a while under changing budgets, so that the chart shows several configurations.
"""

import argparse
import tempfile
from pathlib import Path

from daemon import TOKEN, launch, running
from playwright.sync_api import sync_playwright


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gaitd", type=Path, required=True, help="the gaitd to run")
    parser.add_argument("--out", type=Path, required=True, help="the PNG file to write")
    parser.add_argument("--windows", type=int, default=60, help="windows to wait for, 1.28 s each (default 60)")
    parser.add_argument("--budgets", default="50,4,2,20", help="milliseconds, in turns (default %(default)s)")
    parser.add_argument("--scheme", choices=["light", "dark"], default="light", help="colour scheme (default light)")
    parser.add_argument("--width", type=int, default=1280, help="width of the window in pixels (default 1280)")
    arguments = parser.parse_args()

    budgets = [float(budget) for budget in arguments.budgets.split(",")]
    with (
        tempfile.TemporaryDirectory() as folder,
        running(arguments.gaitd.resolve(), Path(folder)) as daemon,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        viewport = {"width": arguments.width, "height": 800}
        page = browser.new_page(color_scheme=arguments.scheme, viewport=viewport)
        page.goto(daemon.url)
        for turn, budget in enumerate(budgets, 1):
            daemon.ask("/api/control", "PATCH", {"budget_ms": budget}, TOKEN)
            page.wait_for_function(
                "(count) => Number(document.getElementById('decided').textContent) >= count",
                arg=arguments.windows * turn // len(budgets),
                timeout=0,
            )
        page.screenshot(path=arguments.out, full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
