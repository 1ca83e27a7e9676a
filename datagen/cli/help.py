"""Help of the command line: the commands in groups, and an example for each."""

from typing import Any

GROUPS: dict[str, tuple[str, ...]] = {
    "Start": ("init", "doctor", "recipes", "sources"),
    "Build": ("build", "status", "flatten", "encode", "merge", "check", "rejects"),
    "Look and listen": ("show", "listen", "report"),
    "Measure": ("audit", "timing", "engines", "voices"),
    "Train and share": ("export", "evaluate", "card", "push"),
    "Author": ("write", "prompts"),
}
"""Commands by what one wants to do, in the order of the help."""

EXAMPLES: dict[str, str] = {
    "init": "datagen init mine.yaml --input chats.jsonl",
    "doctor": "datagen doctor mine.yaml",
    "recipes": "datagen recipes show natural > mine.yaml",
    "recipes show": "datagen recipes show natural > mine.yaml",
    "sources": "datagen sources chats.jsonl",
    "build": "datagen build natural --input chats.jsonl --out out/mine",
    "status": "datagen status out/mine",
    "flatten": "datagen flatten out/mine --chunk 5/1 --out out/mine-5-1",
    "encode": "datagen encode out/mine --engine mimi --out out/mine-mimi",
    "merge": "datagen merge out/recorded out/mine --out out/both",
    "check": "datagen check out/mine",
    "rejects": "datagen rejects out/mine --reason code --examples 5",
    "show": "datagen show out/mine --task three_stream --row 2",
    "listen": "datagen listen out/mine --dialogue tea --out tea.wav",
    "report": "datagen report out/mine --open",
    "audit": "datagen audit out/mine",
    "timing": "datagen timing report out/mine",
    "timing fit": "datagen timing fit calls/*.rttm --out calls.yaml",
    "timing report": "datagen timing report out/mine --plots plots",
    "timing oracle": "datagen timing oracle out/mine",
    "engines": "datagen engines check hibari",
    "engines check": "datagen engines check humming:Humming --kind tts",
    "voices": "datagen voices recordings --language en --csv bank.csv",
    "export": "datagen export out/mine --to out/nemo --for nemo",
    "evaluate": "datagen evaluate all out/mine --model runs/tiny/two_stream --to scores.json",
    "evaluate asr": "datagen evaluate asr out/mine --model runs/tiny/alignment --rows 50",
    "evaluate tts": "datagen evaluate tts out/mine --model runs/tiny/alignment --rows 50",
    "evaluate loss": "datagen evaluate loss out/mine --model small=runs/a --model large=runs/b",
    "evaluate turns": "datagen evaluate turns out/mine --model runs/tiny/two_stream --sound",
    "evaluate dialogue": "datagen evaluate dialogue out/mine --model runs/tiny/two_stream --judge judge.yaml",
    "evaluate all": "datagen evaluate all out/mine --model runs/tiny/two_stream --to scores.md",
    "evaluate texts": "datagen evaluate texts out/mine --judge judge.yaml",
    "evaluate outputs": "datagen evaluate outputs out/bench --outputs answers",
    "card": "datagen card out/mine --licence cc-by-4.0",
    "push": "datagen push out/mine hf:USER/NAME",
    "write": "datagen write from_topics --dry-run",
    "prompts": "datagen prompts show script",
    "prompts show": "datagen prompts show script --language zh",
}
"""An example per command, as it is typed."""

_OTHER = "Other"
"""Title of commands that are in no group; a test finds them."""


def grouped(names: list[str]) -> dict[str, list[str]]:
    """Commands by the title of their group, in the order of the groups.

    >>> grouped(["check", "build", "x"])
    {'Build': ['build', 'check'], 'Other': ['x']}
    """
    known = {title: [name for name in group if name in names] for title, group in GROUPS.items()}
    known[_OTHER] = sorted(set(names) - {name for group in GROUPS.values() for name in group})
    return {title: found for title, found in known.items() if found}


def add_examples(command: Any, path: str = "") -> None:
    """Put the example of each command below it, at the end of its help."""
    for name, each in command.commands.items():
        full = f"{path} {name}".strip()
        if full in EXAMPLES:
            each.epilog = f"\b\nExample:\n  {EXAMPLES[full]}"
        if hasattr(each, "commands"):
            add_examples(each, full)


def write_groups(command: Any, ctx: Any, formatter: Any) -> None:
    """Write the commands of a help text, by group."""
    names = command.list_commands(ctx)
    limit = formatter.width - 6 - max(map(len, names))
    for title, found in grouped(names).items():
        with formatter.section(title):
            formatter.write_dl([(name, command.get_command(ctx, name).get_short_help_str(limit)) for name in found])
