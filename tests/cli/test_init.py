"""`datagen init` writes a recipe that is valid, commented and builds as printed; `recipes show` prints one."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from datagen import resources
from datagen.errors import DatagenError
from datagen.recipe import load
from datagen.recipe.commented import SCHEMA
from datagen.recipe.starter import VOICES, Choices, starter, to_edit
from datagen.recipe.timing_config import profiles

FAKE = ("--set", "engines={tts: {name: tone}, speech_tokenizer: {name: tone}, text_tokenizer: {name: bytes}}")
TONE = (*FAKE, "--set", "voices.assistant=tone-0", "--workers", "1")


def test_without_a_terminal_it_takes_defaults_and_the_printed_commands_work(datagen):
    said = datagen.ok("init")
    assert said.startswith("mine.yaml is written.\nNext:  datagen doctor mine.yaml\n")
    printed = [line.split()[-4:] for line in Path("mine.yaml").read_text().splitlines() if "--dry-run" in line]
    assert "No fault was found" in datagen.ok("build", "mine.yaml", "--dry-run")
    assert printed
    recipe = load("mine.yaml")
    assert (recipe.name, recipe.timing.profile, recipe.mix.keep_audio) == ("mine", "natural", True)
    assert recipe.input.paths == ("package:quickstart.jsonl",)


def test_what_it_writes_is_built(datagen):
    datagen.ok("init", "mine.yaml", "--timing", "omniflatten", "--size", "large")
    datagen.ok("build", "mine.yaml", "--limit", "3", *TONE, "--set", "splits={validation: 0, test: 0}")
    assert json.loads(Path("out/mine/manifest.json").read_bytes())["n_conversations"] == 3


SPOKEN = [("en",), ("zh",), ("en", "zh")]
COMBINATIONS = [
    (voices, languages, ("small", "large")[(k + n) % 2], profiles()[(k + n) % 4])
    for k, voices in enumerate(VOICES)
    for n, languages in enumerate(SPOKEN)
]


@pytest.mark.parametrize(("voices", "languages", "size", "timing"), COMBINATIONS, ids=str)
def test_every_combination_is_valid_and_commented(voices, languages, size, timing, tmp_path):
    text = starter(Choices("r", languages, (), voices, timing, size), "r.yaml", str(tmp_path))
    file = tmp_path / "r.yaml"
    file.write_text(text, "utf-8")
    recipe = load(str(file))
    assert recipe.select.languages == languages
    assert recipe.timing.profile == timing
    assert (recipe.run.unit_dialogues, recipe.splits.test) == ((4, 0.1) if size == "small" else (32, 0.01))
    assert text.startswith(SCHEMA)
    assert "# Share of dialogues for tests [from 0, below 1]" in text
    assert (
        recipe.engines.tts.name
        == {
            "embedded": "by_language" if len(languages) == 2 else {"en": "hibari", "zh": "kokoro"}[languages[0]],
            "kokoro": "kokoro",
            "server": "speech_server",
            "cosyvoice": "cosyvoice",
        }[voices]
    )
    schema = json.loads((resources.directory("schemas") / "recipe.schema.json").read_text("utf-8"))
    assert Draft202012Validator(schema).is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(
    "options",
    [
        ("--voices", "server"),
        ("--timing", "half_duplex", "--input", "my chats.jsonl"),
    ],
    ids=str,
)
def test_it_builds_as_printed(datagen, options):
    """On the engines of this machine; Chinese voices and CosyVoice need more than the package."""
    turns = [{"role": "user", "text": "How are the apples today?"}, {"role": "assistant", "text": "They are very red."}]
    Path("my chats.jsonl").write_text(json.dumps({"turns": turns}) + "\n")
    said = datagen.ok("init", "mine.yaml", *options)
    dry_run = next(line.strip() for line in said.splitlines() if line.endswith("--dry-run"))
    assert "No fault was found" in datagen.ok(*dry_run.split()[1:])


def test_values_that_only_the_user_knows_are_named(datagen):
    said = datagen.ok("init", "--voices", "cosyvoice")
    assert "Set first: engines.tts.options.model_dir, engines.tts.options.code_dir, engines.tts.options.bank" in said
    assert to_edit(Choices("r")) == []
    assert to_edit(Choices("r", voices="server")) == ["engines.tts.options.base_url"]


def test_answers_on_a_terminal_are_used(datagen, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    answers = iter(["en zh", "", "kokro", "kokoro", "hard", "large"])
    asked = []

    def prompt(question, **_):
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("typer.prompt", prompt)
    status, _, err = datagen.run("init", "mine.yaml")
    assert status == 0, err
    assert "there is no 'kokro'; did you mean kokoro?" in err
    assert [question.split()[0] for question in asked] == [
        "Languages",
        "Dialogues:",
        "Voices",
        "Voices",
        "Timing",
        "Size",
    ]
    recipe = load("mine.yaml")
    assert (recipe.select.languages, recipe.engines.tts.name, recipe.timing.profile) == (("en", "zh"), "kokoro", "hard")
    assert datagen.ok("init", "mine.yaml", "--force", "--yes")
    assert load("mine.yaml").engines.tts.name == "hibari"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("mine.txt",), "mine.txt: a recipe is a .yaml file"),
        (("there.yaml",), "there.yaml exists; choose another name, or pass --force"),
        (("mine.yaml", "--input", "gone.jsonl"), "gone.jsonl: no such file"),
        (("mine.yaml", "--timing", "naturl"), "--timing naturl: no such profile; did you mean natural? profiles: half"),
        (("mine.yaml", "--language", "fr"), "--language fr: the voices embedded speak en and zh; use --voices server"),
        (("mine.yaml", "--language", "fr", "--voices", "server"), "the package has dialogues in en and zh only"),
        (("mine.yaml", "--language", "fr", "--timing", "x"), "2 faults: (1) --language fr"),
        (("my recipe.yaml",), "name: String should match pattern"),
    ],
)
def test_a_wrong_choice_writes_nothing(datagen, arguments, says):
    Path("there.yaml").write_text("name: there\n")
    assert says in datagen.fails("init", *arguments)
    assert [path.name for path in Path().iterdir()] == ["there.yaml"]
    assert Path("there.yaml").read_text() == "name: there\n"


@pytest.mark.parametrize("url", ["s3://corpus/chats/", "gs://corpus/chats.jsonl", "az://corpus/chats"])
def test_inputs_on_a_store_are_left_to_doctor(datagen, url):
    datagen.ok("init", "mine.yaml", "--input", url, "--yes")
    assert load("mine.yaml").input.paths == (url,)
    assert "gone.jsonl: no such file" in datagen.fails("init", "other.yaml", "--input", url, "--input", "gone.jsonl")


def test_a_path_of_the_user_is_data(tmp_path):
    file = 'x\n# y: "z"\nseed: 5.yaml'
    text = starter(Choices("r", inputs=("# no", "a: b")), file, str(tmp_path))
    assert yaml.safe_load(text)["input"]["paths"] == ["# no", "a: b"]
    assert yaml.safe_load(text)["seed"] == 0
    with pytest.raises(DatagenError):
        starter(Choices("r", languages=("xx",)), "r.yaml", str(tmp_path))


# -- recipes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", resources.recipes())
def test_a_printed_recipe_is_the_recipe(datagen, name):
    Path("copy.yaml").write_text(datagen.ok("recipes", "show", name), "utf-8")
    assert load("copy.yaml") == load(name)
    assert Path("copy.yaml").read_text("utf-8").startswith(SCHEMA)


def test_full_prints_what_a_parent_gives(datagen):
    Path("mine.yaml").write_text("name: mine\nextends: natural\nseed: 8\n")
    full = datagen.ok("recipes", "show", "mine.yaml", "--full")
    assert "\nseed: 8\n" in full
    Path("full.yaml").write_text(full, "utf-8")
    assert load("full.yaml") == load("mine.yaml")
    assert "extends: natural" in datagen.ok("recipes", "show", "mine.yaml")


def test_a_recipe_of_a_data_set_shows_no_file_of_ours(datagen):
    Path("out").mkdir()
    Path("out/manifest.json").write_text('{"data_version": 1}')
    Path("secret.yaml").write_text("fade_ms: 31\n")
    Path("out/recipe.yaml").write_text("name: theirs\ntiming: {profile: secret.yaml}\n")
    for option in ((), ("--full",)):
        assert "sets timing.profile" in datagen.fails("recipes", "show", "out/recipe.yaml", *option)


def test_a_recipe_cannot_steer_the_terminal(datagen):
    Path("mine.yaml").write_text("name: mine\n# \x1b[2J\n")
    assert "\x1b" not in datagen.ok("recipes", "show", "mine.yaml")
    assert "did you mean natural?" in datagen.fails("recipes", "show", "naturl")
