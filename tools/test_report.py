"""Counts test cases: runs one test program so that it leaves a report, and adds the reports up.

  test_report.py wrap DIRECTORY COMMAND...   meson's test wrapper
  test_report.py sum DIRECTORY STATUS        prints `N passed, M failed`

A test program is told through PASTRY_TEST_REPORT where to write its report in JUnit's format
(doctest: tests/main.cc; pytest: tests/conftest.py). A program that writes none, or crashes before
it does, counts as one case that passed or failed as its exit code says.
"""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SKIPPED_EXIT_CODE = 77  # meson's convention


def write_report(path, name, tests, failures, skipped=0):
    suite = ElementTree.Element(
        "testsuite", name=name, tests=str(tests), failures=str(failures), errors="0",
        skipped=str(skipped))
    ElementTree.ElementTree(suite).write(path)


def count(path):
    """(passed, failed, skipped) of one report; a report that cannot be read is a failure."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError:
        return 0, 1, 0
    passed = failed = skipped = 0
    for suite in root.iter("testsuite"):
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        left_out = int(suite.get("skipped", 0))
        passed += max(0, int(suite.get("tests", 0)) - bad - left_out)
        failed += bad
        skipped += left_out
    return passed, failed, skipped


def wrap(directory, command):
    handle, path = tempfile.mkstemp(suffix=".xml", dir=directory)
    os.close(handle)
    name = " ".join(command)
    # Stands for the program if it is killed, by a time-out for instance.
    write_report(path, name, tests=1, failures=1)
    pending = os.stat(path).st_mtime_ns
    code = subprocess.call(command, env=dict(os.environ, PASTRY_TEST_REPORT=path))
    reported = os.stat(path).st_mtime_ns != pending
    if not reported:
        write_report(path, name, tests=1, failures=int(code not in (0, SKIPPED_EXIT_CODE)),
                     skipped=int(code == SKIPPED_EXIT_CODE))
    elif code not in (0, SKIPPED_EXIT_CODE) and count(path)[1] == 0:
        passed = count(path)[0]
        write_report(path, name, tests=passed + 1, failures=1)
    return code if code >= 0 else 128 - code


def total(directory, status):
    counts = [count(path) for path in sorted(Path(directory).glob("*.xml"))]
    passed, failed, skipped = (sum(column) for column in zip(*counts)) if counts else (0, 0, 0)
    if status != 0 and failed == 0:
        failed = 1  # meson itself found something wrong that no report shows
    if passed == 0 and failed == 0:
        print("run: no test ran", file=sys.stderr)
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


def main(arguments):
    if len(arguments) >= 3 and arguments[0] == "wrap":
        return wrap(arguments[1], arguments[2:])
    if len(arguments) == 3 and arguments[0] == "sum":
        return total(arguments[1], int(arguments[2]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
