"""Object stores: what passes is tried again, what stays is one clear error, and nothing is doubled."""

import logging
import pickle
from pathlib import Path
from typing import Any

import pytest

import datagen
from datagen.errors import StoreError
from datagen.run.build import build
from datagen.shards.bucket import PATIENCE, Bucket
from tests.fences import blocks_of
from tests.flaky_s3 import AFTER, BEFORE, FlakyS3, at_random
from tests.run.builds import fake
from tests.stores import SECRET, contents

PASSING = [fault for fault in (*BEFORE, *AFTER) if fault != "403"]


def once(fault: str, method: str) -> object:
    """The first call of a method fails."""
    return lambda called, path, n: fault if called == method and n == 0 else ""


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATIENCE, "0.2")


@pytest.mark.parametrize("fault", PASSING)
def test_a_create_whose_answer_is_lost_is_still_ours(flaky_s3: FlakyS3, s3: str, monkeypatch, fault):
    """409 is what S3 answers while another's conditional write is under way, which may yet fail: no proof of a file."""
    if "hang" in fault:
        monkeypatch.setenv("AWS_TIMEOUT", "1s")
    store = Bucket(s3)
    flaky_s3.plan = once(fault, "PUT")
    assert store.create("f", b"ours")
    flaky_s3.plan = once("", "")
    assert not store.create("f", b"theirs")
    assert store.read("f") == b"ours"
    assert flaky_s3.faults[fault] == 1 or fault == "half"  # an answer to a PUT has no body to lose half of


@pytest.mark.parametrize("fault", [fault for fault in PASSING if "hang" not in fault])
def test_a_create_in_doubt_never_claims_the_file_of_another(flaky_s3: FlakyS3, s3: str, fault):
    Bucket(s3).create("f", b"theirs")
    flaky_s3.plan = lambda method, path, n: fault if method == "PUT" and n == 1 else ""
    assert not Bucket(s3).create("f", b"ours")
    assert Bucket(s3).read("f") == b"theirs"


@pytest.mark.parametrize("fault", [fault for fault in PASSING if "hang" not in fault])
@pytest.mark.parametrize("call", ["read", "exists", "keys", "replace", "open"])
def test_every_call_survives_a_passing_fault(flaky_s3: FlakyS3, s3: str, call, fault):
    store = Bucket(s3)
    store.create("d/f", b"some content")
    flaky_s3.plan = lambda method, path, n: fault if n == 0 or (method == "PUT" and n == 1) else ""
    calls = {
        "read": lambda: store.read("d/f") == b"some content",
        "exists": lambda: store.exists("d/f") and not store.exists("d/g"),
        "keys": lambda: list(store.keys("")) == ["d/f"],
        "replace": lambda: store.replace("d/f", b"new") is None and store.read("d/f") == b"new",
        "open": lambda: store.open("d/f").read() == b"some content",
    }
    assert calls[call]()
    assert flaky_s3.faults[fault] >= 1


def test_a_listing_that_breaks_off_goes_on_behind_what_it_gave(flaky_s3: FlakyS3, s3: str, monkeypatch):
    """Pages are few and each may fail: a listing that began anew each time would never end."""
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    monkeypatch.setattr("datagen.shards.bucket._LISTED", 3)
    keys = [f"k{k:02}" for k in range(20)]
    store = Bucket(s3)
    for key in keys:
        store.create(key, b"")
    flaky_s3.plan = lambda method, path, n: "500" if "continuation-token" in path else ""
    assert list(store.keys("")) == keys
    assert flaky_s3.faults["500"] > 3


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("500", r"the store answers 500 InternalError \(tried \d+ times\); when the store is well, run"),
        ("503", r"the store answers 503 SlowDown \(tried"),
        ("reset", "the connection broke"),
        ("403", r"refuses the credentials of the environment \(403 ExpiredToken\); renew them"),
    ],
)
def test_a_lasting_fault_is_one_clear_error(flaky_s3: FlakyS3, s3: str, hasty, fault, says):
    store = Bucket(s3)
    flaky_s3.plan = lambda *_: fault
    for verb, call in (
        ("write", lambda: store.create("f", b"")),
        ("write", lambda: store.replace("f", b"")),
        ("read", lambda: store.read("f")),
        ("list", lambda: list(store.keys("f"))),
    ):
        with pytest.raises(StoreError, match=rf"^cannot {verb} {s3}/f: .*{says}") as caught:
            call()
        message = str(pickle.loads(pickle.dumps(caught.value)))  # as it comes from a worker
        assert "\n" not in message
        assert not any(word in message for word in (SECRET, "AKIATESTS", "Debug", flaky_s3.endpoint))


def test_what_cannot_pass_is_not_tried_again(flaky_s3: FlakyS3, s3: str):
    flaky_s3.plan = lambda *_: "403"
    with pytest.raises(StoreError):
        Bucket(s3).read("f")
    assert flaky_s3.faults["403"] == 1


def test_a_long_wait_is_told(flaky_s3: FlakyS3, s3: str, caplog):
    flaky_s3.plan = lambda method, path, n: "503" if n < 6 else ""
    with caplog.at_level(logging.WARNING):
        Bucket(s3).create("f", b"")
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot write {s3}/f: the store answers 503 SlowDown; trying again ..."
    ]


def test_a_server_that_is_not_there(s3: str, hasty, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="no connection"):
        Bucket(s3).exists("f")


def test_a_server_that_never_answers(flaky_s3: FlakyS3, s3: str, hasty, monkeypatch):
    monkeypatch.setenv("AWS_TIMEOUT", "100ms")
    flaky_s3.plan = lambda *_: "hang"
    with pytest.raises(StoreError, match="no answer in time"):
        Bucket(s3).read("f")


def test_a_bucket_that_is_not_there(s3: str):
    for call in (lambda b: b.read("f"), lambda b: b.create("f", b""), lambda b: list(b.keys(""))):
        with pytest.raises(StoreError, match=r"no such bucket \(404 NoSuchBucket\); create it"):
            call(Bucket("s3://nobody-has-this/x"))


def test_plain_http_must_be_wanted(s3: str, monkeypatch):
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(StoreError, match="AWS_ALLOW_HTTP"):
        Bucket(s3).exists("f")


def test_no_credentials_are_named(s3: str, hasty, monkeypatch, flaky_s3):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", flaky_s3.endpoint)
    flaky_s3.plan = lambda *_: "403"
    with pytest.raises(StoreError, match=r"credentials"):
        Bucket(s3).exists("f")


def test_a_file_that_changes_while_it_is_read(s3: str):
    store = Bucket(s3)
    store.create("f", bytes(9 << 20))
    with store.open("f") as stream:
        stream.read(1)
        store.replace("f", bytes([1]) * (9 << 20))
        with pytest.raises(StoreError, match="changed while it was read"):
            stream.read()


@pytest.mark.parametrize("call", ["read", "open", "read_range"])
def test_an_answer_that_comes_short_is_asked_for_again(flaky_s3: FlakyS3, s3: str, call):
    store, data = Bucket(s3), bytes(range(100))
    store.create("f", data)
    flaky_s3.plan = lambda method, path, n: "short" if method == "GET" and n < 2 else ""
    calls = {
        "read": lambda: store.read("f"),
        "open": lambda: store.open("f").read(),
        "read_range": lambda: store.read_range("f", 0, 100, None),
    }
    assert calls[call]() == data
    assert flaky_s3.faults["short"] == 2


def test_an_empty_file_is_read_as_one(s3: str):
    Bucket(s3).create("f", b"")
    assert Bucket(s3).read("f") == b""


@pytest.mark.parametrize("key", ["plan.json", "manifest.json", "markers/00000.json"])
def test_answers_that_always_come_short_are_the_stores_fault_not_the_files(flaky_s3: FlakyS3, s3: str, hasty, key):
    """Half a plan is no damaged plan: no other --out is needed."""
    store = Bucket(s3)
    store.create(key, b'{"unit": 0}')
    flaky_s3.plan = lambda method, path, n: "short" if method == "GET" else ""
    with pytest.raises(
        StoreError, match=rf"cannot read {s3}/{key}: its answers are cut short .*when the store is well"
    ):
        store.read(key)


@pytest.mark.parametrize("key", ["a\0b", "\ud800", "d/../../x"])
@pytest.mark.parametrize("call", ["create", "read", "exists"])
def test_a_key_no_store_can_hold_is_one_clear_error(s3: str, hasty, key, call):
    with pytest.raises(StoreError, match=f"^cannot .*{s3}") as caught:
        getattr(Bucket(s3), call)(*(key, b"") if call == "create" else (key,))
    assert str(caught.value).isprintable()


def test_a_store_that_overwrites_is_refused(s3: str, monkeypatch):
    """As servers do that do not know `If-None-Match`."""
    import obstore

    def put(store, path, data, *, mode="overwrite", real=obstore.put, **options):
        return real(store, path, data, **options)

    monkeypatch.setattr("datagen.shards.bucket.obstore.put", put)
    with pytest.raises(StoreError, match="conditional writes"):
        Bucket(s3).sweep()


def test_many_faults_do_no_harm(flaky_s3: FlakyS3, s3: str):
    flaky_s3.plan = at_random(0.4, *(fault for fault in PASSING if "hang" not in fault))
    store = Bucket(s3)
    for k in range(12):
        assert store.create(f"f{k}", bytes([k]))
        assert not store.create(f"f{k}", b"other")
    assert contents(store) == {f"f{k}": bytes([k]) for k in range(12)}
    assert len(flaky_s3.faults) > 5


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIA:hunter2@bucket/out",
        "s3://hunter2@bucket/out",
        "s3://bucket/out?X-Amz-Signature=hunter2",
        "az://container/out?sig=hunter2",
        "abfss://container:hunter2@account.dfs.core.windows.net/out",
    ],
)
def test_a_url_with_credentials_is_refused_and_not_repeated(url):
    with pytest.raises(StoreError, match="credentials") as caught:
        Bucket(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["ftp://host/x", "file:///x", "https://host/x", "s3://", "s3:///x", "://x"])
def test_a_url_of_no_store_is_refused(url):
    with pytest.raises(StoreError, match=r"supported are s3://.*gs://.*az://"):
        Bucket(url)


@pytest.mark.parametrize("url", ["s3://bucket/a//b", "s3://bucket/../b"])
def test_a_name_no_store_can_hold_is_refused(s3: str, url):
    with pytest.raises(StoreError, match="check the URL"):
        Bucket(url).exists("f")


def test_a_variable_that_makes_no_sense_is_not_quoted(s3: str, monkeypatch):
    monkeypatch.setenv("AWS_TIMEOUT", SECRET)
    with pytest.raises(StoreError, match=r"AWS_\*") as caught:
        Bucket(s3)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["gs://bucket/out/", "az://container/out", "abfss://container@account.dfs.core.windows.net/out"]
)
def test_urls_of_other_stores_are_understood(monkeypatch, url):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert Bucket(url).url == url.rstrip("/")


def test_the_reader_of_the_stores_page_reads_a_build_without_datagen(s3: str, tmp_path: Path):
    page = Path(__file__).parent.parent / "docs" / "stores.md"
    (block,) = (each.body for each in blocks_of(page) if each.runner == "tests/test_bucket.py")
    build(fake(tmp_path, "run.unit_dialogues=2", n=5), s3)
    names: dict[str, Any] = {}
    exec(compile(block.replace("builds/mine", s3.removeprefix("s3://")), page.name, "exec"), names)
    keys = [file.key for file in datagen.open(s3).manifest.files("three_stream", "train")]
    assert names["train"] == sorted(f"{s3.removeprefix('s3://')}/{key}" for key in keys)
    assert names["rows"].column_names == ["row_id", "input_ids", "loss_mask"]
    assert names["rows"].num_rows > 0
