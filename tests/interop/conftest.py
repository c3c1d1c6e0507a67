"""What several interoperability tests need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from libreims.net.netns import NetworkNamespace


@pytest.fixture(scope="module")
def network() -> Iterator[NetworkNamespace]:
    """A host of our own at the end of a cable: a network with nothing in it."""
    try:
        namespace = NetworkNamespace.anonymous()
    except OSError as error:
        pytest.skip(f"no network namespace: {error}")
    yield namespace
    namespace.close()
