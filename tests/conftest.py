"""Lets `./run test` count pytest's cases (tools/test_report.py)."""

import os

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    # Taken out of the environment so that a test program started by a test does not write it too.
    report = os.environ.pop("PASTRY_TEST_REPORT", None)
    if report:
        config.option.xmlpath = report
