"""Scripted good answers: a function of the question, as a model at temperature 0 would give them."""

import json
import re

from datagen.authoring.llm_client import PROBE
from datagen.text.phrases import units
from tests.authoring.server import Ask

GOES_ON = "Okay, then let me put it another way for you."
GOES_ON_ZH = "好，那我换个说法再讲一遍给你听。"


def answer(ask: Ask) -> str:
    """The answer to a question of any task."""
    if ask.question == PROBE:
        return "Hello."
    return json.dumps(answer_value(ask), ensure_ascii=False)


def answer_value(ask: Ask) -> object:
    words, data = ask.question, ask.data
    if "barge-ins" in words or "打断、" in words:
        return script(data)
    if words.rstrip().endswith("Judge this conversation.") or "评判这段对话" in words:
        return judgement(data)
    if "Rate the assistant" in words or "给助手打分" in words:
        return {"reason": "Turn 1 answers.", "score": 6}
    if "says next" in words or "接下来说的话" in words:
        return {"text": GOES_ON if data["turns"][0]["text"].isascii() else GOES_ON_ZH}
    if words.rstrip().splitlines()[-1].startswith(("Style at most", "最多给")):
        return {"styles": [styled(turn) for turn in data[:1]]}
    if "Reword" in words:
        return {"turns": [{"role": turn["role"], "text": f"Well, {turn['text']}"} for turn in data]}
    if "改写这" in words:
        return {"turns": [{"role": turn["role"], "text": f"那个，{turn['text']}"} for turn in data]}
    if "into English" in words:
        return {"turns": [{"role": turn["role"], "text": translated(turn, "en")} for turn in data]}
    if "翻译成中文" in words:
        return {"turns": [{"role": turn["role"], "text": translated(turn, "zh")} for turn in data]}
    return written(data)


def styled(turn: dict[str, object]) -> dict[str, object]:
    """A turn in a hurry."""
    return {
        "turn": turn["turn"], "why": "Late.", "emotion": "afraid", "pace": "fast", "whisper": False, "laughter": False,
    }  # fmt: skip


def translated(turn: dict[str, object], language: str) -> str:
    """A sentence with the numbers of the turn, in another language."""
    figures = " ".join(re.findall(r"[0-9]+", str(turn["text"])))
    return f"So this says {figures}, and that is it." if language == "en" else f"这句话说的是{figures}，就这样。"


def judgement(turns: list[dict[str, object]]) -> dict[str, object]:
    """Good scores, but for the dialogues that test a judge."""
    text = "".join(str(turn["text"]) for turn in turns)
    rank = {
        "hereby": (2, 7, 9),
        "兹请求": (2, 7, 9),
        "poison": (7, 7, 1),
        "老鼠药": (7, 7, 1),
        "goat": (7, 2, 9),
        "山羊": (7, 2, 9),
    }
    return judged(*next((scores for word, scores in rank.items() if word in text), (7, 8, 10)))


def judged(spokenness: int, coherence: int, safety: int) -> dict[str, object]:
    scores = {"spokenness": spokenness, "coherence": coherence, "safety": safety}
    return {name: {"reason": f"Turn 1 shows {name}.", "score": score} for name, score in scores.items()}


def written(brief: dict[str, str]) -> dict[str, object]:
    texts = (
        f"Hey, can you tell me a bit about {brief['topic']}?",
        "Sure, there's a lot to say, so let me begin with what you need first.",
        "Okay, and what would that be?",
        "Just a quiet hour and something to write on.",
    )
    return {"turns": [{"role": "assistant" if k % 2 else "user", "text": text} for k, text in enumerate(texts)]}


def script(turns: list[dict[str, object]]) -> dict[str, object]:
    """A barge-in into the first long turn of the assistant, a hesitation in the first turn that has room for one."""
    barge_ins, hesitations = [], []
    for turn in turns:
        text = str(turn["text"])
        found = units(text)
        if turn["role"] == "assistant" and len(found) >= 8 and not barge_ins:
            english = text.isascii()
            says, goes_on = ("Wait, I know that part.", GOES_ON) if english else ("等等，这个我知道。", GOES_ON_ZH)
            quote = text[: found[4].end]
            barge_ins.append(
                {
                    "turn": turn["turn"],
                    "why": "Known.",
                    "after": quote,
                    "occurrence": 1,
                    "says": says,
                    "goes_on": goes_on,
                }
            )
        elif turn["role"] == "user" and len(found) > 1 and not hesitations:
            hesitations.append({"turn": turn["turn"], "why": "Thinks.", "after": "", "occurrence": None, "text": ""})
    return {"barge_ins": barge_ins, "hesitations": hesitations, "backchannels": []}
