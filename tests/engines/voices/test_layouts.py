"""Banks as they lie on disk: corpora by the names of their files, folders of speakers, tables."""

import hashlib
import shutil

import pytest

from datagen.engines.voices import load_bank, survey, write_table
from datagen.errors import EngineError


def test_librispeech_tells_speaker_sex_language_licence_and_what_is_said(put, tmp_path):
    bank = put("dev/84/121123/84-121123-0000.flac")
    put("dev/84/121550/84-121550-0002.flac", seconds=1)
    put("dev/174/50561/174-50561-0001.flac")
    (bank / "dev/84/121123/84-121123.trans.txt").write_text("84-121123-0000 GO, DO YOU HEAR\n84-121123-0001 BUT\n")
    (bank / "SPEAKERS.TXT").write_text(
        ";ID | SEX | SUBSET\n84   | F | dev-clean | 8.02 | Christie\n174 | M | d | 8 | D\n"
    )
    for root in (bank, bank / "dev"):  # the table of speakers lies above the subsets
        found = load_bank(root)
        assert list(found) == ["libri-174", "libri-84"]
        voice = found["libri-84"].voice
        assert (voice.speaker, voice.sex, voice.languages, voice.licence) == (
            "libri-84",
            "female",
            ("en",),
            "CC-BY-4.0",
        )
        assert voice.source == ("dev/" if root == bank else "") + "84/121123/84-121123-0000.flac"
        assert voice.source_sha256 == hashlib.sha256((root / voice.source).read_bytes()).hexdigest()
        assert found["libri-84"].transcript == "GO, DO YOU HEAR"
        assert found["libri-174"].voice.sex == "male"
        assert found["libri-174"].transcript == ""
        assert len(found["libri-84"].audio(24_000)) == 4 * 24_000


def test_3d_speaker_prefers_standard_mandarin_and_leaves_out_device_09(put):
    name = "train/3D_SPK_00001/3D_SPK_00001_{}_Device0{}_Distance00_Dialect0{}.wav"
    bank = put(name.format("001", 1, 3), noise=0)
    put(name.format("002", 9, 0))
    put(name.format("003", 3, 0), noise=0.01)
    put("train/3D_SPK_00007/3D_SPK_00007_004_Device01_Distance02_Dialect05.wav")
    put("train/3D_SPK_00009/3D_SPK_00009_001_Device09_Distance00_Dialect00.wav")
    (bank / "files").mkdir()
    (bank / "files/train_transcription.txt").write_text("3D_SPK_00001_001\t不是 这个\n3D_SPK_00001_003\t你 好\n")
    found = load_bank(bank)
    assert list(found) == ["3D_SPK_00001", "3D_SPK_00007"]
    first, second = found.values()
    assert first.voice.source.endswith("_003_Device03_Distance00_Dialect00.wav")
    assert (first.transcript, first.voice.languages, first.voice.note) == ("你 好", ("zh",), "")
    assert second.voice.note == "dialect 05 of 3D-Speaker"


def test_other_files_belong_to_their_folder_or_to_themselves(put):
    bank = put("anna/one.wav")
    put("anna/two.wav", noise=0.01)
    put("berta.wav")
    put("BAC009S0764W0122.wav")
    (bank / "berta.txt").write_text("Well,\n I am Berta.")
    (bank / "notes.txt").write_text("not a transcript")
    found = load_bank(bank, languages=("de",), licence="mine")
    assert list(found) == ["aishell-S0764", "anna", "berta"]
    assert found["anna"].voice.source == "anna/one.wav"  # the cleaner one
    assert (found["berta"].transcript, found["berta"].voice.licence) == ("Well, I am Berta.", "mine")
    assert [r.voice.languages for r in found.values()] == [("zh",), ("de",), ("de",)]


def test_what_lies_beside_a_recording_is_said_in_no_other(put):
    bank = put("alice/ref.flac")
    put("bob/ref.flac")
    (bank / "alice/ref.txt").write_text("I am Alice.")
    assert {name: r.transcript for name, r in load_bank(bank).items()} == {"alice": "I am Alice.", "bob": ""}
    (bank / "bob/ref.txt").write_text("I am Bob.")
    assert {name: r.transcript for name, r in load_bank(bank).items()} == {"alice": "I am Alice.", "bob": "I am Bob."}


def test_an_utterance_that_is_told_in_two_ways_is_a_fault(put):
    bank = put("wav/BAC009S0764W0122.wav")
    (bank / "transcript.txt").write_text("BAC009S0764W0122 甚至 出现\nHeader one\n")
    (bank / "more").mkdir()
    (bank / "more/text").write_text("BAC009S0764W0122 甚至 出现\nHeader two\n")
    assert load_bank(bank)["aishell-S0764"].transcript == "甚至 出现"
    (bank / "more/text").write_text("BAC009S0764W0122 别的\n")
    with pytest.raises(EngineError, match=r"text and .*transcript\.txt contradict each other about BAC009S0764W0122"):
        load_bank(bank)


def test_a_recording_or_an_archive_is_no_table_of_transcripts(put):
    bank = put("BAC009S0764W0122.wav")
    for name in ("transcripts.tar.gz", "transcription.wav", "transcripts.csv.zip"):
        (bank / name).write_text("BAC009S0764W0122 nonsense\n")
    assert load_bank(bank)["aishell-S0764"].transcript == ""
    for suffix in (".tsv", ".csv", ".scp", ""):
        file = bank / f"transcripts{suffix}"
        file.write_text("BAC009S0764W0122,甚至 出现\n")
        assert load_bank(bank)["aishell-S0764"].transcript == "甚至 出现"
        file.unlink()


def test_a_bank_that_moved_is_the_same_bank(put, tmp_path):
    bank = put("in/one.wav")
    put("in/two.wav")
    shutil.copy(bank / "in/two.wav", tmp_path / "out.wav")
    (bank / "in/two.wav").write_bytes((bank / "in/two.wav").read_bytes() + b"more")

    def voices(folder):
        """One path within the table's folder, an absolute one into it, and one that leads out of it."""
        table = folder / "in/voices.csv"
        table.write_text(f"path\n../in/one.wav\n{folder}/in/two.wav\n../../out.wav\n")
        return [reference.voice for reference in load_bank(table).values()]

    before = voices(bank)
    assert [voice.source for voice in before] == ["one.wav", "two.wav", "out.wav"]
    bank.rename(tmp_path / "moved")
    assert voices(tmp_path / "moved") == before


def test_a_table_names_its_voices_and_keeps_their_order(put):
    bank = put("z/one.wav")
    put("two.wav")
    (bank / "voices.csv").write_text(
        "name,path,speaker,sex,language,transcript,licence\n"
        'Zoe,z/one.wav,zoe,F,en de,"Well, hello.",CC0-1.0\n'
        "Anna,two.wav,,,,,\n"
    )
    zoe, anna = load_bank(bank / "voices.csv", languages=("zh",), licence="mine").values()
    assert (zoe.voice.name, zoe.voice.speaker, zoe.voice.sex, zoe.transcript) == (
        "Zoe",
        "zoe",
        "female",
        "Well, hello.",
    )
    assert (zoe.voice.languages, zoe.voice.licence, zoe.voice.source) == (("en", "de"), "CC0-1.0", "z/one.wav")
    assert (anna.voice.speaker, anna.voice.sex, anna.voice.languages, anna.voice.licence) == (
        "Anna",
        "",
        ("zh",),
        "mine",
    )
    (bank / "voices.tsv").write_text("path\tspeaker\nz/one.wav\tzoe\ntwo.wav\tzoe\n")
    (zoe,) = load_bank(bank / "voices.tsv").values()  # two recordings of one voice
    assert zoe.voice.name == "zoe"


def test_all_that_is_wrong_with_a_table_is_said_at_once(put):
    bank = put("one.wav")
    table = bank / "voices.csv"
    table.write_text("name,path,sex\na,one.wav,woman\nb,gone.wav,f\nc,,f\nd,one.wav,f,more\ne,one.wav,m\ne,one.wav,f\n")
    with pytest.raises(EngineError, match="5 faults") as error:
        load_bank(table)
    for says in (
        "line 2: sex is 'woman'; write female, male or nothing",
        "line 3: there is no file gone.wav",
        "line 4: path is empty",
        "line 5: has more cells than the header",
        "one.wav: another row says something else of e; make them agree",
    ):
        assert says in str(error.value)
    for text, says in [
        ("name,file\n", "no column 'file' is known; they are name, path"),
        ("name\n", "the column path is missing"),
        ("path\n", "it contains no recordings"),
        (b"path\n\xff\xfe", "no table in UTF-8"),
    ]:
        table.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(EngineError, match=says):
            load_bank(table)


def test_what_is_no_bank_is_refused(tmp_path):
    with pytest.raises(EngineError, match=r"no such directory, and no \.csv or \.tsv"):
        load_bank(tmp_path / "nowhere")
    with pytest.raises(EngineError, match="it contains no recordings"):
        load_bank(tmp_path)


def test_a_bank_that_was_written_as_a_table_is_the_same_bank(put, tmp_path):
    bank = put("84/1/84-1-0000.flac")
    put("anna/one.wav")
    put("3D_SPK_00007_004_Device01_Distance02_Dialect05.wav")
    (bank / "84/1/84-1.trans.txt").write_text('84-1-0000 SAY "YES", PLEASE\n')
    verdicts = survey(bank)
    write_table(tmp_path / "chosen.csv", verdicts)
    again = survey(tmp_path / "chosen.csv")
    assert [v.voice.name for v in again] == [v.voice.name for v in verdicts] == ["3D_SPK_00007", "anna", "libri-84"]
    for old, new in zip(verdicts, again, strict=True):
        assert new.voice.source == f"bank/{old.voice.source}"
        assert (new.voice.source_sha256, new.transcript) == (old.voice.source_sha256, old.transcript)
        assert (new.voice.languages, new.voice.licence) == (old.voice.languages, old.voice.licence)
        assert new.voice.note == old.voice.note
    assert again[0].voice.note == "dialect 05 of 3D-Speaker"
    with pytest.raises(EngineError, match=r"the name must end in \.csv or \.tsv"):
        write_table(tmp_path / "chosen.txt", verdicts)
