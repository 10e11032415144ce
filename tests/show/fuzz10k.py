#!/usr/bin/env python3
"""10,000 random simulations on all cores: none breaks a rule, each has at least 10,000 events and
faults of several kinds, and every rare path is reached."""

import json
import os
import subprocess

from common import BINARY, Failed, main

SEEDS = int(os.environ.get("SHOW_SEEDS", "10000"))


def run(figures):
    done = subprocess.run([BINARY, "sim", "fuzz", "--seeds", f"1-{SEEDS}", "--json"],
                          capture_output=True, text=True, check=False)
    if done.returncode not in (0, 10):
        raise Failed(f"exit {done.returncode}: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    marks = report.pop("marks")
    figures.update(report)
    figures["marks"] = len(marks)
    figures["marks_not_reached"] = [name for name, seeds in marks.items() if seeds == 0]
    figures["marks_rarest"] = dict(sorted(marks.items(), key=lambda mark: mark[1])[:10])
    if report["failed"]:
        raise Failed(f"{report['failed']} seeds broke a rule, the first is "
                     f"{report['failures'][0]['seed']}")
    if report["events_least"] < 10000 or report["fault_kinds_least"] < 2:
        raise Failed("a seed had too few events or faults of one kind only")
    if figures["marks_not_reached"]:
        raise Failed(f"rare paths not reached: {figures['marks_not_reached']}")


main(run)
