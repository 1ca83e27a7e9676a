"""Prose uses the words of the field, in docs, docstrings, comments, help and errors."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from datagen.cli import app
from datagen.engines.moved import MOVED

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "benchmarks/README.md", "prompts/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
SOURCES = sorted(path for folder in ("datagen", "benchmarks", "examples") for path in (ROOT / folder).rglob("*.py"))
_COUNTED = (
    "once|twice|one|two|three|probability|tokens|codes|bytes|samples|frames|hours|minutes|words|dialogues|conversations|"
    "requests|errors|files|rows|units|values|calls|ms|MB|KB|figure|column|line|process|engine|voice|tokenizer|row|file|"
    "hash|marker|entry|worker|workers|pool|seed|realtime|hours|sequences|cell|number"
)
_OF_EACH = (
    "second|minute|hour|day|unit|worker|turn|conversation|dialogue|token|word|letter|syllable|character|file|row|core|"
    "chunk|frame|language|task|channel|node|split|part|step|stream|kind|utterance|take|line|command|record|group|stage|"
    "speaker|million|month|code"
)
REPLACED = {
    r"mend(?:s|ed|ing)?": "fix, how to fix it",
    r"told(?! (?:apart|from)\b)": "reported, stated",
    r"(?:is|are) asked(?! (?:to|whether)\b)|asked of|as asked": "requested",
    rf"(?:{_COUNTED}) an? (?:{_OF_EACH})": "per unit, per worker, per second",
    r"heard beside|beside the floor": "overlapping; backchannel; listener response",
    r"(?:what|as) (?:a person|people|somebody) would say": "normalized text, verbalized text",
    r"gates?": "quality check",
    r"turn(?:s|ed|ing)? (?:\w+ )?down": "refused; attenuated",
    r"fills(?! (?:a|an|the|its|each|every)\b)|filled up": "pads, is padded; padding",
    r"so many|as many(?! (?:\w+ )?as\b)": "the count itself, that many",
    r"go(?:es|ing)? on|went on|gone on": "continue, resume",
    r"ask(?:s|ed|ing)? for": "set, request",
    r"forg(?:et|ets|ot|otten|etting)": "release, drop",
    r"(?<!listener )(?<!user )(?<!assistant )(?<!nobody )hears": "reads, receives, processes",
    r"g(?:ives?|iven|ave|iving) back": "returns",
    r"as (?:it is|they are)(?=[.,;:)]|$)": "unchanged",
    r"lone|mere(?:ly)?": "a single, only",
    r"people's|like people": "human",
    r"(?:good|bad) (?:speech|takes?)": "passing or failing take",
    r"written by a language model|written dialogues?|dialogues? (?:is|are|was|were) written": "authored",
    r"real speech": "synthetic speech, TTS",
}
"""Regular expressions of words, without case and between word borders, with their replacements."""
OPENING = re.compile(r"(?:What|Where|How|Whether|Who|When|Take (?:the|a|an)|Begin without)\b")
"""First words of a docstring that say neither what a thing does nor what it is."""
_FORBIDDEN = re.compile("|".join(rf"(?P<w{k}>\b(?:{word})(?!\w))" for k, word in enumerate(REPLACED)), re.IGNORECASE)
_CODE = re.compile(r"^(`{3,}).*?^\1|`[^`]*`|\]\([^)]*\)|^ *>>> .*?(?:\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
"""Code in prose: fences, spans, targets of links, doctests."""
_SAYS = re.compile(r"(?:^|\.)(?!Unfit)\w*(?:Error|Fault|echo|Option|Argument|Typer)$")
"""Calls whose texts a user reads. Details of rejects are excluded: they are bytes of a build."""


_SENT = ("answers.py",)
"""Their docstrings are part of requests to a language model: other words would be other requests."""


def faults(text: str) -> list[tuple[int, str, str]]:
    """Find replaced words in prose; code does not count.

    >>> faults("It goes on\\nand fills `a lone line`.")
    [(0, 'goes on', 'continue, resume'), (1, 'fills', 'pads, is padded; padding')]
    """
    prose = _CODE.sub(lambda found: re.sub(r"[^\n]", "`", found[0]), text)
    flat = re.sub(r"\n[ #]*", lambda found: " " * len(found[0]), prose)
    advice = list(REPLACED.values())
    return [
        (prose.count("\n", 0, found.start()), found[0], advice[int(str(found.lastgroup)[1:])])
        for found in _FORBIDDEN.finditer(flat)
    ]


def prose_of(source: str) -> Iterator[tuple[int, str, bool]]:
    """Line and text of everything in a module that people read, and True for docstrings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value, True
        elif isinstance(node, ast.Call) and _SAYS.search(ast.unparse(node.func)):
            for part in (*node.args, *(keyword.value for keyword in node.keywords)):
                yield part.lineno, "".join(texts(part)), False
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string, False


def texts(node: ast.expr) -> Iterator[str]:
    """The literal text of an expression; values of an f-string are left out."""
    match node:
        case ast.Constant(value=str(value)):
            yield value
        case ast.JoinedStr(values=values):
            for value in values:
                yield from texts(value) if isinstance(value, ast.Constant) else ("``",)
        case ast.BinOp(left=left, right=right):
            yield from (*texts(left), *texts(right))
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*texts(body), " ", *texts(orelse))


def faults_of(path: Path, root: Path = ROOT) -> list[str]:
    """All replaced words in a file, as `file:line 'word' → advice`."""
    name, text = path.relative_to(root), path.read_text("utf-8")
    if path.suffix == ".md":
        return [f"{name}:{line + 1} {word!r} → {advice}" for line, word, advice in faults(text)]
    found = []
    for line, prose, is_docstring in prose_of(text):
        found += [f"{name}:{line + at} {word!r} → {advice}" for at, word, advice in faults(prose)]
        if is_docstring and path.name not in _SENT and (opening := OPENING.match(prose)):
            found.append(f"{name}:{line} {opening[0]!r} opens a docstring → what it does, or a noun phrase")
    return found


def relative(path: Path) -> str:
    """Name of a test case."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*PAGES, *SOURCES], ids=relative)
def test_no_replaced_word(path):
    assert faults_of(path) == []


def test_no_replaced_word_in_help():
    def helps(command, name):
        yield name, command.help or ""
        yield from ((f"{name} {part.name}", getattr(part, "help", None) or "") for part in command.params)
        for sub in getattr(command, "commands", {}).values():
            yield from helps(sub, f"{name} {sub.name}")

    shown = helps(typer.main.get_command(app), "datagen")
    assert [(name, word) for name, text in shown for _, word, _ in faults(text)] == []


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_prose_is_wrapped(page):
    text = re.sub(r"^(`{3,}).*?^\1", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    whole = re.sub(r"`[^`\n]*`", lambda span: "`" * len(span[0]), text).splitlines()
    prose = [line for line in whole if not line.startswith(("|", "    ", "![", "#"))]
    assert [line for line in prose if len(line) > 100 and re.search(r"\w\S* \S", line)] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=relative)
def test_files_and_modules_that_pages_name_exist(page):
    text = page.read_text("utf-8")
    files = re.findall(r"`((?:datagen|tests|pipelines|benchmarks|examples|notebooks|prompts)/[\w./]+)`", text)
    assert [name for name in files if not (ROOT / name).exists()] == []
    names = [name for name in re.findall(r"[\s`(](datagen(?:\.\w+)+)", text) if not is_moved(name)]
    assert [name for name in names if not names_something(name)] == []


def is_moved(dotted: str) -> bool:
    """True of the address of an older version that errors name beside the new one."""
    return dotted.removeprefix("datagen.") in MOVED


def names_something(dotted: str) -> bool:
    """True if a dotted name is a module, or a name in one.

    >>> names_something("datagen.audit.audit.PREDICTORS"), names_something("datagen.nonesuch")
    (True, False)
    """
    for n_parts in range(dotted.count(".") + 1, 0, -1):
        *modules, rest = *dotted.split(".")[:n_parts], dotted.split(".")[n_parts:]
        place = ROOT.joinpath(*modules)
        module = place.with_suffix(".py") if place.with_suffix(".py").exists() else place / "__init__.py"
        if module.exists():
            return all(re.search(rf"\b{name}\b", module.read_text("utf-8")) for name in rest)
    return False


PLANTED = [
    "Run the same command again to go on.",
    "An error names the field and the mend.",
    "They are spoken once a worker.",
    "A token of the listener, heard beside the turn.",
    "The gate hears a bad take.",
    "A lone utterance, timed like people.",
    "What was asked for is forgotten; the rest is\nfilled up.",
    "Gives back the file as it is.",
]


@pytest.mark.parametrize("sentence", PLANTED)
def test_planted_words_are_found(sentence, tmp_path):
    planted = {
        "page.md": sentence,
        "doc.py": f'"""Module.\n\n{sentence}"""',
        "method.py": f'def method():\n    """Run.\n\n    {sentence.replace(chr(10), chr(10) + "    ")}\n    """',
        "error.py": f"raise ValueError({sentence!r})",
        "comment.py": "# " + sentence.replace("\n", " "),
        "help.py": f"typer.Option(help={sentence!r})",
    }
    for name, text in planted.items():
        (tmp_path / name).write_text(text)
        assert faults_of(tmp_path / name, tmp_path), name


def test_openings_of_docstrings_are_found(tmp_path):
    (tmp_path / "doc.py").write_text('"""Whether a writer said what happens in it."""')
    assert faults_of(tmp_path / "doc.py", tmp_path)


@pytest.mark.parametrize(
    "sentence",
    [
        "Yielding is told apart from continuing.",
        "It fills the buffer.",
        "`mend`, `gates` and `go on` are names.",
        "The assistant was asked to wait.",
        "There are as many workers as cores.",
        "The listener hears the whole take.",
    ],
)
def test_precise_uses_pass(sentence):
    assert faults(sentence) == []
