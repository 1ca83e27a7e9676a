"""Nothing kept is no success, and what is kept with a mild fault is counted."""

import json

import pytest

from datagen.engines.fakes import ToneVoice
from datagen.errors import LimitError, OutageError
from datagen.pipeline.turn_checks import CHECKS
from datagen.run.build import build
from datagen.run.job import Watcher
from datagen.run.kept import kept_faults
from datagen.shards.manifest import Manifest
from datagen.shards.store import LocalStore
from datagen.sources.advice import FIXES
from tests.run.builds import ANSWER, fake, made, read, talk, talks

CODE = "```x = 1```"


class Lines(Watcher):
    """Keeps the notices of a run."""

    def __init__(self):
        self.lines = []

    def notice(self, line):
        self.lines.append(line)


def coded(n: int) -> list[object]:
    return [talk(f"Tell me about {k} apples please.", CODE, id=f"c{k}") for k in range(n)]


def plain(n: int) -> list[object]:
    return [talk(f"Tell me about {k} pears please.", ANSWER, id=f"p{k}") for k in range(n)]


def test_a_build_that_would_keep_nothing_ends_before_any_speech(tmp_path):
    recipe = fake(tmp_path, records=coded(3))
    wanted = r"3 of 3 records are rejected as select/code.*record 0, 'c0' of in\.jsonl: turn 1.*To fix it: "
    with pytest.raises(LimitError, match=wanted):
        build(recipe, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()  # so the corrected command may use it
    corrected = fake(tmp_path, "select.max_code_share=1", records=[*coded(3), *plain(1)])
    assert build(corrected, str(tmp_path / "out")).n_conversations


def test_no_split_is_remarked_on_where_nothing_is_kept(tmp_path):
    watcher, few = Lines(), "splits={validation: 0.1, test: 0.1, min_dialogues: 1}"
    with pytest.raises(LimitError):
        build(fake(tmp_path, few, records=coded(3)), str(tmp_path / "out"), watcher=watcher)
    assert watcher.lines == []
    build(fake(tmp_path, few, records=plain(1)), str(tmp_path / "out"), watcher=watcher)
    assert any("train" in line for line in watcher.lines)


def test_a_share_for_one_reason_is_a_limit_that_can_be_raised(tmp_path):
    records = [*coded(19), *plain(1)]
    with pytest.raises(LimitError, match=r"19 of 20 .* select/code, more than limits.max_rejected_share \(0.9\)"):
        build(fake(tmp_path, records=records), str(tmp_path / "out"))
    assert (
        build(fake(tmp_path, "limits.max_rejected_share=0.95", records=records), str(tmp_path / "o2")).n_rejects == 19
    )


def test_the_first_records_decide_early_and_all_records_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("datagen.run.kept.PROBE_RECORDS", 2)
    with pytest.raises(LimitError, match="of the first 2 records"):
        build(fake(tmp_path / "a", records=[*coded(2), *plain(4)]), str(tmp_path / "early"))
    recipe = fake(tmp_path / "b", records=[*plain(2), *coded(38)])
    with pytest.raises(LimitError, match=r"38 of 40 .* nothing is done again"):
        build(recipe, str(tmp_path / "late"))
    assert not (tmp_path / "late" / "manifest.json").exists()
    again = fake(tmp_path / "b", "limits.max_rejected_share=1", records=[*plain(2), *coded(38)])
    assert build(again, str(tmp_path / "late")).n_conversations == 2


def test_speech_that_always_fails_is_no_success_either(tmp_path):
    recipe = fake(tmp_path, "speak.attempts=1", "engines.tts={name: 'tests.run.engines:Broken'}", records=plain(2))
    with pytest.raises(LimitError, match=r"no dialogue is kept: .*speak/"):
        build(recipe, str(tmp_path / "out"))


def test_check_says_that_a_build_kept_nothing(tmp_path):
    out, manifest = made(tmp_path)
    assert list(kept_faults(manifest)) == []
    path = out / "manifest.json"
    values = json.loads(path.read_bytes())
    manifest = Manifest.load(LocalStore(out))
    object.__setattr__(manifest, "n_conversations", 0)
    (line,) = kept_faults(manifest)
    assert "select/code" in line and "record 0, 'd0'" in line and FIXES["code"] in line
    assert values["n_conversations"]


def test_every_reason_of_a_turn_has_a_fix():
    assert {name for name, _ in CHECKS} <= FIXES.keys()


def test_system_prompts_cuts_and_notices_reach_conversations_and_manifest(tmp_path):
    long = "Once there was a very old man who went away. " * 30
    records = [
        talk("Tell me about pears.", f"*sighs* {ANSWER}", "And then?", long, id="a"),
        talk("Tell me about apples, please.", "They are *really* good and red all over.", id="b"),
    ]
    out, manifest = made(tmp_path, records=records)
    first, second = read(out, "conversations")
    assert (first["cut"], second["cut"]) == ("turn_too_long", "")
    assert first["notices"] == ["stage_direction: turn 1: '*sighs*' dropped"] and second["notices"] == []
    assert manifest.notices == {"cut/turn_too_long": 1, "stage_direction": 1}
    assert not any("sigh" in u["spoken"] for u in first["utterances"])
    assert talks(1)


class Away(ToneVoice):
    """Its server is away for a text."""

    def speak(self, text, voice, seed):
        if "3 pears" in text or "three pears" in text:
            raise OutageError("my server is away")
        return super().speak(text, voice, seed)


def test_an_outage_says_what_is_done_and_that_the_same_command_goes_on(tmp_path):
    recipe = fake(tmp_path, "engines.tts={name: 'tests.run.test_kept:Away'}", records=plain(4))
    with pytest.raises(
        OutageError, match=r"^my server is away\. 1 of 2 units done and kept; the same command resumes it$"
    ):
        build(recipe, str(tmp_path / "out"))
