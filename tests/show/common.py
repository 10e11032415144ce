"""The harness of the acceptance tests for the long runs, and how a run reports."""

import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "acceptance"))

from harness import *  # noqa: E402,F401,F403  (the runs use it as their own)


def main(run):
    """Runs `run(figures)`; prints the figures as JSON; exits 1 if it raised."""
    figures = {"run": pathlib.Path(sys.argv[0]).stem}
    begin = time.monotonic()
    try:
        run(figures)
        figures["ok"] = True
    except (Exception, KeyboardInterrupt) as error:  # the figures so far are worth printing
        figures["ok"] = False
        figures["error"] = f"{type(error).__name__}: {error}"
    figures["seconds"] = round(time.monotonic() - begin, 1)
    print(json.dumps(figures, indent=2))
    sys.exit(0 if figures["ok"] else 1)
