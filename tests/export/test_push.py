"""`datagen push`: a whole build arrives, once, and a cut upload continues.

Against a server of our own that speaks the Hub's protocol (`hub_server.py`), by huggingface_hub's client.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from datagen.cli import app
from datagen.errors import StoreError
from datagen.export import hub as uploads
from datagen.export.hub import preview, push
from datagen.run.check import check
from datagen.shards.store import LocalStore
from tests.export.hub_server import TOKEN, Hub, pretended_hub
from tests.run.builds import made

TO = "hf:ann/talks"
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of huggingface_hub's own code


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    with pretended_hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the server stores by Git LFS
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(uploads, "_MAX_FILES", 4)
        yield server


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return made(tmp_path, "run.unit_dialogues=3", "flatten.tasks=[three_stream, tts]", n=9)[0]


def copied(hub: Hub, to: Path) -> Path:
    """The data set as somebody downloads it."""
    for path, data in hub.repositories["ann/talks"].items():
        if path != ".gitattributes":
            (to / path).parent.mkdir(parents=True, exist_ok=True)
            (to / path).write_bytes(data)
    return to


def test_a_whole_build_arrives_and_passes_the_check(hub, out, tmp_path):
    said: list[str] = []
    summary = push(str(out), TO, say=said.append)
    assert check(LocalStore(copied(hub, tmp_path / "copy"))).faults == []
    assert hub.commits[-1] == ["manifest.json"]
    assert hub.commits[0] == ["README.md", "recipe.yaml", "plan.json"]
    assert len(said) == len(hub.commits) > 4
    assert set(hub.stored.values()) == {1}
    assert hub.private == {"ann/talks": True}
    assert TOKEN not in summary + "".join(said)
    again = push(str(out), TO)
    assert len(hub.commits) == len(said)  # nothing has changed, so nothing is committed
    assert set(hub.stored.values()) == {1}
    assert again.startswith(f"{hub.url}/datasets/ann/talks: ")


def test_a_cut_upload_continues_without_sending_files_again(hub, out, tmp_path):
    hub.n_stores_left = 6
    with pytest.raises(StoreError, match=r"hf:ann/talks: the Hub refused \(403: .*"):
        push(str(out), TO)
    n_committed, n_stored = len(hub.commits), sum(hub.stored.values())
    assert (n_committed > 1, n_stored) == (True, 6)
    assert "manifest.json" not in hub.repositories["ann/talks"]
    hub.n_stores_left = 10**9
    push(str(out), TO)
    assert set(hub.stored.values()) == {1}
    assert len({path for commit in hub.commits for path in commit}) == sum(map(len, hub.commits))
    assert check(LocalStore(copied(hub, tmp_path / "copy"))).faults == []


def test_a_dry_run_says_what_would_be_sent_and_changes_nothing(hub, out, monkeypatch):
    n_bytes = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    new = preview(str(out), TO)
    assert f", {n_bytes / 1e6:,.1f} MB, in " in new
    assert "does not exist yet, and would be private. Nothing was sent" in new
    assert hub.repositories == {}
    hub.n_stores_left = 6
    with pytest.raises(StoreError):
        push(str(out), TO)
    n_commits, there = len(hub.commits), len(hub.repositories["ann/talks"]) - 1
    found = CliRunner().invoke(app, ["push", str(out), TO, "--dry-run"])
    assert f"{there} files of this build are there. Nothing was sent" in found.stdout
    assert len(hub.commits) == n_commits
    monkeypatch.setenv("HF_TOKEN", "")
    assert "there is no token, so nothing was compared" in preview(str(out), TO)
    (out / "manifest.json").unlink()
    with pytest.raises(StoreError, match=r"manifest\.json"):
        preview(str(out), TO)


@pytest.mark.parametrize(("change", "says"), [("cut", "bytes, not"), ("gone", "it is missing")])
def test_a_damaged_build_is_refused_before_any_request(hub, out, change, says):
    file = next((out / "three_stream").glob("*.parquet"))
    file.unlink() if change == "gone" else file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(StoreError, match=f"is damaged: three_stream/.*{says}.*datagen check"):
        push(str(out), TO)
    assert hub.n_requests == 0


def test_an_unfinished_build_is_refused(hub, out):
    (out / "manifest.json").unlink()
    with pytest.raises(StoreError, match="the build is unfinished"):
        push(str(out), TO)
    assert hub.n_requests == 0


def test_a_data_set_with_another_build_is_refused(hub, out, tmp_path):
    push(str(out), TO)
    other, _ = made(tmp_path / "other", "run.unit_dialogues=3", "seed=5", "flatten.tasks=[three_stream, tts]", n=9)
    n_commits = len(hub.commits)
    with pytest.raises(StoreError, match=r"has files that are not of this build, such as .*; push to another name"):
        push(str(other), TO)
    assert len(hub.commits) == n_commits


def test_a_wrong_token_and_no_token_say_what_to_do(hub, out, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "hf_" + "w" * 34)
    with pytest.raises(StoreError, match=r"401.*run `hf auth login`, or set HF_TOKEN") as error:
        push(str(out), TO)
    assert "w" * 34 not in str(error.value)
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(StoreError, match="there is no token of the Hugging Face Hub: run `hf auth login`"):
        push(str(out), TO)


def test_public_data_need_a_licence(hub, out):
    with pytest.raises(StoreError, match=r"nobody stated its licence; run `datagen card .* --licence ID` before"):
        push(str(out), TO, public=True)
    assert CliRunner().invoke(app, ["card", str(out), "--licence", "cc-by-4.0"]).exit_code == 0
    result = CliRunner().invoke(app, ["push", str(out), TO, "--public"])
    assert result.exit_code == 0, result.output
    assert hub.private == {"ann/talks": False}
    assert "card.json" in hub.commits[0]


@pytest.mark.parametrize("to", ["ann/talks", "hf:talks", "hf:ann/talks/x", "hf:../x", "s3://ann/talks"])
def test_a_name_that_is_none_is_refused(to):
    with pytest.raises(StoreError, match="is no data set of the Hub; give hf:USER/NAME"):
        push("nowhere", to)
