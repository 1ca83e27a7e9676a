"""A FAKE of CosyVoice's code as of December 2025, for what version 3 changed: no model is in it, it hums.

Its signatures are upstream's; so is how it keeps voices, that a recording is a file, and that a prompt must end its
instructions with <|endofprompt|>. Written to a folder it is laid out as a checkout.
"""

from pathlib import Path

_CODE = """
import logging

import soundfile
import torch
from tqdm import tqdm

logging.getLogger().setLevel(logging.DEBUG)  # what upstream's basicConfig comes to in a process without handlers
logging.getLogger().addHandler(logging.NullHandler())


class Frontend:
    def __init__(self):
        self.spk2info = {"anna": {"embedding": torch.zeros(1, 192)}}

    def frontend_zero_shot(self, tts_text, prompt_text, prompt_wav, resample_rate, zero_shot_spk_id):
        if zero_shot_spk_id == "":
            audio, rate = soundfile.read(prompt_wav)
            entry = {"prompt_text": prompt_text, "llm_prompt_speech_token": len(audio), "flow_embedding": rate}
        else:
            entry = self.spk2info[zero_shot_spk_id]
        entry["text"] = tts_text
        return entry

    def frontend_cross_lingual(self, *args):
        entry = self.frontend_zero_shot(args[0], "", *args[1:])
        del entry["prompt_text"]
        del entry["llm_prompt_speech_token"]
        return entry

    def frontend_instruct2(self, *args):
        entry = self.frontend_zero_shot(*args)
        del entry["llm_prompt_speech_token"]
        return entry


class Model:
    def __init__(self):
        self.tts_speech_token_dict, self.heard = {}, []

    def llm_job(self, text, prompt_text, llm_prompt_speech_token, llm_embedding, uuid):
        assert "<|endofprompt|>" in prompt_text + text, "<|endofprompt|> not detected in CosyVoice3 text or prompt_text"
        self.heard.append((text, prompt_text, llm_prompt_speech_token, llm_embedding))
        self.tts_speech_token_dict[uuid] += [1] * len(text)

    def tts(self, text, flow_embedding=0, prompt_text="", llm_prompt_speech_token=0, stream=False, speed=1.0, **kwargs):
        self.tts_speech_token_dict["a"] = []
        self.llm_job(text, prompt_text, llm_prompt_speech_token, flow_embedding, "a")
        yield {"tts_speech": torch.full((1, 960 * len(self.tts_speech_token_dict["a"])), 0.1)}


class CosyVoice:
    def __init__(self, model_dir, load_jit=False, load_trt=False, fp16=False, trt_concurrent=1):
        self.frontend, self.model, self.sample_rate = Frontend(), Model(), 24000

    def add_zero_shot_spk(self, prompt_text, prompt_wav, zero_shot_spk_id):
        entry = self.frontend.frontend_zero_shot("", prompt_text, prompt_wav, self.sample_rate, "")
        del entry["text"]
        self.frontend.spk2info[zero_shot_spk_id] = entry
        return True

    def inference_zero_shot(self, tts_text, prompt_text, prompt_wav, zero_shot_spk_id="", stream=False, speed=1.0, text_frontend=True):
        assert text_frontend is False
        for text in tqdm([tts_text]):
            entry = self.frontend.frontend_zero_shot(text, prompt_text, prompt_wav, self.sample_rate, zero_shot_spk_id)
            yield from self.model.tts(**entry, stream=stream, speed=speed)

    def inference_cross_lingual(self, tts_text, prompt_wav, zero_shot_spk_id="", stream=False, speed=1.0, text_frontend=True):
        assert text_frontend is False
        for text in tqdm([tts_text]):
            entry = self.frontend.frontend_cross_lingual(text, prompt_wav, self.sample_rate, zero_shot_spk_id)
            yield from self.model.tts(**entry, stream=stream, speed=speed)

    def inference_instruct(self, tts_text, spk_id, instruct_text, stream=False, speed=1.0, text_frontend=True):
        assert self.frontend.spk2info[spk_id]
        yield from self.model.tts(tts_text, prompt_text=instruct_text, stream=stream, speed=speed)


class CosyVoice2(CosyVoice):
    def inference_instruct2(self, tts_text, instruct_text, prompt_wav, zero_shot_spk_id="", stream=False, speed=1.0, text_frontend=True):
        assert text_frontend is False
        for text in tqdm([tts_text]):
            entry = self.frontend.frontend_instruct2(text, instruct_text, prompt_wav, self.sample_rate, zero_shot_spk_id)
            yield from self.model.tts(**entry, stream=stream, speed=speed)


class CosyVoice3(CosyVoice2):
    def __init__(self, model_dir, load_trt=False, load_vllm=False, fp16=False, trt_concurrent=1):
        super().__init__(model_dir)
"""  # noqa: E501


def fake_checkout(root: Path) -> Path:
    """Write the fake."""
    for name, text in {
        "cosyvoice/__init__.py": "",
        "cosyvoice/cli/__init__.py": "",
        "cosyvoice/cli/cosyvoice.py": _CODE,
        "third_party/Matcha-TTS/matcha/__init__.py": "",
        "third_party/Matcha-TTS/matcha/utils/__init__.py": "",
        "third_party/Matcha-TTS/matcha/utils/audio.py": "mel_basis, hann_window = {}, {}\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def fake_model(root: Path, version: int) -> Path:
    """Files with the names of a model directory and nothing in them."""
    root.mkdir()
    names = ("llm.pt", "flow.pt", "hift.pt", "spk2info.pt", "campplus.onnx", f"speech_tokenizer_v{version}.onnx")
    for name in (*names, "cosyvoice.yaml" if version == 1 else f"cosyvoice{version}.yaml"):
        (root / name).write_text("")
    (root / "CosyVoice-BlankEN").mkdir()
    return root
