"""Scores of datagen and of the package wetext on pairs of written and spoken text, per file.

A file holds one pair per line: `written~spoken`, or, in a `.tsv`, a class, the written text and the
accepted forms, separated by ` | `. Compared are the words alone, so conventions do not decide: case,
punctuation, hyphens and "and" do not count; in Chinese, spaces do not count either.

    python benchmarks/normalizers.py tests/text/en.tsv FOLDER_OF_PAIRS
    python benchmarks/normalizers.py --language zh tests/text/zh.tsv
"""

import argparse
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from datagen.text import to_spoken

Pair = tuple[str, list[str]]
Normalize = Callable[[str], str]


def words(text: str, language: str) -> str:
    """The words of a spoken text, as they are compared.

    >>> words("One hundred and Five-dollars.", "en"), words("五 点。", "zh")
    ('one hundred five dollars', '五点')
    """
    text = "".join(c if unicodedata.category(c)[0] in "LN" else " " for c in text.lower().replace("'", ""))
    if language == "zh":
        return "".join(text.split())
    return " ".join(word for word in text.split() if word != "and")


def pairs_of(file: Path) -> Iterator[Pair]:
    """The pairs of a file."""
    for line in file.read_text("utf-8").splitlines():
        if file.suffix == ".tsv":
            _, written, spoken = line.split("\t")
            if (written, spoken) != ("written", "spoken"):
                yield written, spoken.split(" | ")
        elif "~" in line:
            written, _, spoken = line.rpartition("~")
            yield written, [spoken]


def files_of(paths: list[Path]) -> list[Path]:
    """The files of paths and, sorted, of folders."""
    return [file for path in paths for file in (sorted(path.glob("*.txt")) if path.is_dir() else [path])]


def score(pairs: list[Pair], normalize: Normalize, language: str) -> tuple[int, list[tuple[str, str, str]]]:
    """The number of right pairs; written, expected and said text of the others."""
    wrong = list[tuple[str, str, str]]()
    for written, accepted in pairs:
        said = normalize(written.strip())
        if words(said, language) not in {words(form, language) for form in accepted}:
            wrong.append((written, accepted[0], said))
    return len(pairs) - len(wrong), wrong


def normalizers(language: str) -> dict[str, Normalize]:
    """The compared functions by name."""
    from wetext import Normalizer

    normalizer = Normalizer(lang=language, operator="tn")

    def by_wetext(text: str) -> str:
        try:
            return normalizer.normalize(text)
        except AssertionError:  # raised for texts that it empties; they count as wrong
            return ""

    return {"datagen": lambda text: to_spoken(text, language), "wetext": by_wetext}


def main() -> None:
    """Print a table of scores, and on request the failures of datagen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files, or folders of .txt files")
    parser.add_argument("--language", default="en", choices=("en", "zh"))
    parser.add_argument("--failures", action="store_true", help="print what datagen says otherwise")
    options = parser.parse_args()
    compared = normalizers(options.language)
    print("| file | pairs | " + " | ".join(compared) + " |\n|---|---|" + "---|" * len(compared))
    for file in files_of(options.paths):
        pairs = list(pairs_of(file))
        found = {name: score(pairs, normalize, options.language) for name, normalize in compared.items()}
        rights = " | ".join(f"{right / max(1, len(pairs)):.1%}" for right, _ in found.values())
        print(f"| {file.stem} | {len(pairs)} | {rights} |", flush=True)
        for written, expected, said in found["datagen"][1] if options.failures else ():
            print(f"    {written!r}\n        expected {expected!r}\n        said     {said!r}")


if __name__ == "__main__":
    main()
