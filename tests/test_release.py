"""Version, changelog and citation agree, so a release can be tagged."""

import re
from pathlib import Path

import yaml

from datagen import DATA_VERSION, __version__

ROOT = Path(__file__).parent.parent


def test_the_first_release_of_the_changelog_is_this_one():
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[:2] == ["Versions", f"{__version__}, data version {DATA_VERSION}"]


def test_citations_name_this_version():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"] == __version__
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"version = {{{__version__}}}" in readme
    assert f"duplex_datagen-{__version__}-py3-none-any.whl" in readme
