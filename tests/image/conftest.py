"""The image, built once for all tests of this folder; where that cannot be done the tests fail and say why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.container import own_network
from tests.support.debian_root import NoDebianRoot
from tests.support.image import Image, NoImage, built_image


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    try:
        with built_image() as built:
            yield built
    except (NoImage, NoDebianRoot) as why:
        pytest.fail(str(why), pytrace=False)


@pytest.fixture
def network() -> Iterator[None]:
    """The test and its containers on a loopback of their own, where every port is free."""
    with own_network():
        yield
