"""`datagen doctor` lists everything that is missing at once, with the command that fixes it, and never a credential."""

import json
import queue
import socket
import threading
from pathlib import Path

import pytest

from datagen.engines.catalogue import Card
from datagen.installed import pip_install
from datagen.run import doctor as doctors
from datagen.run import environment


def found(datagen, *arguments):
    """Exit status, and the findings by topic and name."""
    status, out, _ = datagen.run("doctor", *arguments, "--json")
    report = json.loads(out)
    findings = {(each["topic"], each["name"]): each for each in report["findings"]}
    assert report["missing"] == sum(each["state"] == "missing" for each in report["findings"])
    assert status == (1 if report["missing"] else 0)
    return status, findings


def test_the_machine_is_described_and_lacks_nothing(datagen, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    status, findings = found(datagen)
    assert status == 0
    assert {topic for topic, _ in findings} >= {"python", "package", "extra", "engine", "gpu", "program", "credential"}
    assert {name for topic, name in findings if topic == "extra"} >= {"zh", "asr", "ray", "train", "s3"}
    assert findings["engine", "tts hibari"]["state"] == "ok"
    assert findings["engine", "engines.tts"]["detail"].startswith("hibari")
    assert findings["credential", "HF_TOKEN"]["state"] == "absent"
    assert "34 records" in findings["build", "quickstart"]["detail"]
    assert {name for topic, name in findings if topic == "program"} == {"Ray", "ffmpeg"}


def test_a_credential_is_never_shown(datagen, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("OPENAI_API_KEY", "hush-too")
    monkeypatch.setattr("datagen.cli.doctor_command._DEFAULT", "fake")
    for option in ((), ("--json",)):
        _, out, err = datagen.run("doctor", *option)
        assert "hush" not in out + err
        assert "set, for s3://" in out


def test_all_that_a_recipe_lacks_is_listed_at_once(datagen, monkeypatch):
    lacking = Card("x", ("no_such_module",), extra="zh")
    monkeypatch.setitem(doctors.CARDS, ("tts", "kokoro"), lacking)
    monkeypatch.setitem(doctors.CARDS, ("asr", "whisper"), Card("x", ("nothing",), extra="asr"))
    monkeypatch.setattr(environment.shutil, "which", lambda _: None)
    Path("mine.yaml").write_text(
        "name: mine\nextends: chinese\ninput: {paths: [gone.jsonl]}\nverify: {asr: {name: whisper}}\n"
        "mix: {noise: [{name: directory, options: {path: /no/noise}}]}\npools: {speak: {gpus: 1}}\n"
        "engines: {speech_tokenizer: {name: s3, options: {path: /no/s3.pt, decoder: {model_dir: /no/model}}}}\n"
        "takes: {reuse: [gone]}\n"
    )
    status, findings = found(datagen, "mine.yaml")
    missing = {key: each["fix"] for key, each in findings.items() if each["state"] == "missing"}
    assert status == 1
    assert missing["engine", "engines.tts"] == pip_install("zh")
    assert missing["engine", "verify.asr"] == pip_install("asr")
    for key in (
        ("file", "mix.noise[0].options.path"),
        ("file", "engines.speech_tokenizer.options.path"),
        ("file", "engines.speech_tokenizer.options.decoder.model_dir"),
        ("gpu", "NVIDIA"),
    ):
        assert missing[key]
    said = datagen.run("doctor", "mine.yaml")[1]
    for part in ("gone.jsonl: no such file", "gone", "MISSING  gpu"):
        assert part in said
    assert said.splitlines()[-1].endswith(f"All extras at once: {pip_install('asr', 'zh')}")


def test_a_faulty_recipe_is_one_finding(datagen):
    Path("mine.yaml").write_text("name: mine\nsede: 3\n")
    status, findings = found(datagen, "mine.yaml")
    assert status == 1
    fault = findings["build", "mine.yaml"]
    assert (fault["detail"], fault["fix"]) == ("mine.yaml: sede: unknown key", "did you mean seed?")


def test_a_package_that_is_known_to_lack_is_not_named_again(datagen, monkeypatch):
    from datagen.errors import EngineMissingError
    from datagen.pipeline.pipeline import Pipeline

    fix = pip_install("zh")
    monkeypatch.setitem(doctors.CARDS, ("tts", "tone"), Card("x", ("no_such",), extra="zh"))
    monkeypatch.setattr(Pipeline, "faults", lambda _: iter([EngineMissingError(f"tone is missing: {fix}")]))
    _, findings = found(datagen, "fake")
    assert [key for key, each in findings.items() if each["fix"] == fix] == [("engine", "engines.tts")]


@pytest.fixture
def listening():
    """The port of a server that accepts connections, and a queue of the first byte that each sent."""
    server = socket.create_server(("127.0.0.1", 0))
    got = queue.Queue[bytes]()

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                got.put(connection.recv(1))

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1], got
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def test_servers_that_a_recipe_names_are_tried_and_get_nothing(datagen, listening):
    port, got = listening
    Path("mine.yaml").write_text(
        "name: mine\nextends: from_topics\ninput: {paths: ['package:quickstart.jsonl']}\nengines: {tts: {name: tone}}\n"
        "voices: {assistant: tone-0}\n"
        f"write: {{llm: {{base_url: 'http://127.0.0.1:{port}/v1', api_key_env: MY_KEY}}}}\n"
    )
    _, findings = found(datagen, "mine.yaml")
    assert findings["server", "write.llm.base_url"]["state"] == "ok"
    assert findings["credential", "MY_KEY"]["state"] == "absent"  # a server of this machine needs none
    assert findings["package", "openai"]["state"] == "ok"
    assert got.get(timeout=60) == b""


def test_a_server_that_is_away_is_missing():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    seen = doctors.server("k", f"http://127.0.0.1:{port}/v1")
    assert (seen.state, seen.fix) == ("missing", "start the server, or correct k")
    assert doctors.server("k", "http://[bad").state == "missing"


def test_no_connection_is_opened_unless_a_recipe_names_a_server(datagen, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert datagen.run("doctor", "fake")[0] == 0


def test_a_recipe_of_a_data_set_needs_trust(datagen):
    Path("out").mkdir()
    Path("out/manifest.json").write_text('{"data_version": 1}')
    Path("out/recipe.yaml").write_text("name: theirs\nengines: {tts: {name: 'subprocess:Popen'}}\n")
    assert "import the module subprocess" in datagen.fails("doctor", "out/recipe.yaml")


def test_a_gpu_is_listed_by_its_driver(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'H200, 143771 MiB'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert environment.gpu(needed=True).detail == "H200, 143771 MiB"
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert (environment.gpu(needed=True).state, environment.gpu(needed=False).state) == ("missing", "absent")


def test_engines_of_ones_own_are_listed_one_line_each(datagen):
    _, findings = found(datagen, "fake", "--set", "engines.tts={name: 'tests.run.engines:Counted'}")
    assert findings["engine", "engines.tts"]["detail"] == "tests.run.engines:Counted, your own"
    _, findings = found(
        datagen, "fake", "--set", "script.normalizer={en: {name: 'datagen.engines.normalizers:English'}}"
    )
    assert findings["engine", "script.normalizer.en"]["state"] == "ok"
    _, findings = found(datagen, "fake", "--set", "engines.tts={name: 'tests.run.engines:Nobody'}")
    assert ("engine", "engines.tts") not in findings
    assert "has no class 'Nobody'" in findings["build", "fake"]["detail"]
