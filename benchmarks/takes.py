"""Kept takes: what keeping costs, and what another profile costs that finds them."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from common import recipe_for, run_build, show, write_dialogues

from datagen.shards.manifest import Manifest
from datagen.shards.store import LocalStore

_OTHER_PROFILE = ("timing.barge_in.probability=0.5", "timing.assistant_fto=200", "mix.bursts.probability=0.5")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1, help="hours of conversation")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "dialogues.jsonl"
        write_dialogues(source, options.hours)
        builds = {
            "nothing kept": (),
            "takes kept": ("takes.keep=true",),
            "another profile, from nothing": _OTHER_PROFILE,
            "another profile, from kept takes": (*_OTHER_PROFILE, f"takes.reuse=[{folder / 'takes-kept'}]"),
        }
        digests = {}
        for title, changes in builds.items():
            out = folder / title.replace(" ", "-").replace(",", "")
            wall, cpu = run_build(recipe_for("omniflatten", source, *changes), out)
            manifest = Manifest.load(LocalStore(out))
            digests[title] = manifest.digest
            show(f"build, {title}: wall", wall, "s")
            show(f"build, {title}: CPU", cpu, "s")
            if "takes.keep=true" in changes:
                size = sum(file.stat().st_size for file in (out / "takes").rglob("*") if file.is_file())
                show("kept takes an hour of conversation", size / manifest.hours / 1e6, "MB")
        titles = list(builds)
        if digests[titles[0]] != digests[titles[1]] or digests[titles[2]] != digests[titles[3]]:
            raise SystemExit("kept takes changed the content")
        print("both profiles: the same digest with kept takes and without")


if __name__ == "__main__":
    main()
