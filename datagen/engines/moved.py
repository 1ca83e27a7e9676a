"""New addresses of modules that were reorganized, for engines written against an older datagen."""

import re
import traceback
from importlib.util import find_spec

MOVED = {
    "acoustics": "pipeline.mix",
    "acoustics.beside": "pipeline.mix.mix",
    "acoustics.draws": "pipeline.mix.scene",
    "acoustics.levels": "pipeline.levels",
    "acoustics.people": "pipeline.script.script",
    "acoustics.slices": "pipeline.speak.slices",
    "behaviours": "recipe.timing_config",
    "bucket": "shards.bucket",
    "build": "pipeline.pipeline",
    "build.Build": "pipeline.pipeline.Pipeline",
    "casting": "pipeline.script.casting",
    "chunks": "shards.chunks",
    "distributions": "recipe.distributions",
    "duplicates": "sources.duplicates",
    "engines.ambience": "engines.noise.ambience",
    "engines.bank": "engines.voices",
    "engines.bank.bank": "engines.voices.voice_bank",
    "engines.bursts": "engines.noise.bursts",
    "engines.by_language": "engines.tts.by_language",
    "engines.cosyvoice": "engines.tts.cosyvoice",
    "engines.cosyvoice_decoder": "engines.speech_tokens.cosyvoice_decoder",
    "engines.dnsmos": "engines.listeners.dnsmos",
    "engines.files": "engines.model_files",
    "engines.hf_text": "engines.text_tokens.hf_text",
    "engines.hibari": "engines.tts.hibari",
    "engines.hits": "engines.noise.bursts",
    "engines.kmeans": "engines.speech_tokens.kmeans",
    "engines.kokoro": "engines.tts.kokoro",
    "engines.noise": "engines.noise.noise",
    "engines.qwen2": "engines.text_tokens.qwen2",
    "engines.reference": "engines.voices.recordings",
    "engines.renderings": "engines.tts.renderings",
    "engines.rooms": "engines.noise.rooms",
    "engines.s3": "engines.speech_tokens.s3",
    "engines.sounds": "engines.tts.word_times",
    "engines.speech_server": "engines.tts.speech_server",
    "engines.texture": "engines.noise.texture",
    "engines.tone": "engines.fakes",
    "engines.vad": "engines.listeners.vad",
    "engines.whisper": "engines.listeners.whisper",
    "engines.words": "engines.tts.word_times",
    "phrases": "text.phrases",
    "progress": "cli.progress",
    "recipe_mix": "recipe.mix_config",
    "recipe_speech": "recipe.recipe",
    "references": "text.references",
    "run.digest": "shards.digest",
    "run.index": "shards.manifest",
    "run.laws": "shards.laws",
    "run.manifest": "shards.manifest",
    "run.markers": "shards.markers",
    "run.store": "shards.store",
    "run.tables": "shards.tables",
    "schema": "shards.schema",
    "scripting": "pipeline.script",
    "spoken": "text",
    "stages": "pipeline",
    "stages.mix": "pipeline.mix.mix",
    "stages.script": "pipeline.script.script",
    "stages.speak": "pipeline.speak.speak",
    "step": "pipeline.step",
    "timing": "measure",
    "units": "clock",
    "verify": "pipeline.verify",
    "verify.gate": "pipeline.verify.verify",
    "vocab": "shards.vocab",
    "write": "authoring",
}
"""Old module → new one, below `datagen`. A module that is not listed moved with its package."""

_IMPORT = re.compile(r"(?:from|import)\s+datagen((?:\.\w+)*)(?:\s+import\s+(\w+))?")


def new_address(error: ImportError | AttributeError, target: str) -> str | None:
    """The move that explains why an engine cannot be imported, None if nothing moved.

    Args:
        error: Of the import, with its traceback.
        target: `module:Class` of the engine; its own module may import another that moved.
    """
    lines = [f"from {target.replace(':', ' import ')}"]
    lines += [frame.line or "" for frame in traceback.extract_tb(error.__traceback__)]
    for line in reversed(lines):
        if found := _IMPORT.search(line):
            module, name = found[1].removeprefix("."), found[2] or ""
            qualified = f"{module}.{name}".strip(".")
            old = qualified if qualified in MOVED else module
            if new := _moved(old):
                return f"datagen.{old} is now datagen.{new}"
    return None


def _moved(old: str) -> str | None:
    """The new address of a module, or of an attribute that has an entry of its own.

    >>> _moved("engines.hibari"), _moved("spoken.english"), _moved("engines.base")
    ('engines.tts.hibari', 'text.english', None)
    """
    if old in MOVED:
        return MOVED[old]
    package, dot, rest = old.rpartition(".")
    if not dot or _exists(old):
        return None
    parent = _moved(package)
    new = f"{parent}.{rest}"
    return new if parent and _exists(new) else parent


def _exists(module: str) -> bool:
    try:
        return find_spec(f"datagen.{module}") is not None
    except ModuleNotFoundError:  # not even its package
        return False
