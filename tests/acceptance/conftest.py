"""Fixtures of the acceptance tests."""

import pytest

from harness import Cluster, Workspace


@pytest.fixture
def space():
    with Workspace() as workspace:
        yield workspace


@pytest.fixture(scope="module")
def cluster():
    """Sixteen nodes that the tests of a module share; they leave it as healthy as they found it."""
    with Workspace() as workspace:
        running = Cluster(workspace, 16, "--leaf-set", 8)
        yield running
        running.stop()
