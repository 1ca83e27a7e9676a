"""A fake author: sensible dialogues and scripts by a small grammar, where no language model is to be had.

It is named as a fake wherever its figures are stated: it shows that what the prompts ask for passes the audit, not
that a model does as it is asked.
"""

import json
import random
import re

from datagen.text.phrases import units
from tests.authoring import model
from tests.authoring.server import Ask

_OPENERS = (
    "Hi, I have a question about {}.",
    "Hey, can we talk about {} for a minute?",
    "Good morning, I keep thinking about {}.",
    "Do you know anything about {}?",
    "So, {} is on my mind today.",
    "I could use some help with {}, please.",
    "My neighbour told me to ask you about {}.",
    "Okay, this may sound odd, but it is about {}.",
)
_CLAUSES = (
    "the first thing is to look at what you already have at home",
    "most people begin with a short list and change it as they go",
    "a small budget is enough if you leave the expensive part for later",
    "the weather matters more than anybody tells you",
    "you want somebody beside you who has done it before",
    "it takes an afternoon, and usually a second one to tidy up",
    "the cheap version lasts about as long as the fancy one",
    "there is a number you can call on weekdays before noon",
    "taking a photo before you start saves a lot of guessing",
    "the label on the back tells you which kind it is",
    "older models need a little more patience and some oil",
    "measuring twice is boring, but it really pays off",
    "the shop by the station lends out the right tool",
    "children learn it fastest when nobody explains too much",
    "a dry cloth does most of the work, and water does the rest",
    "you can stop halfway and come back the next morning",
    "the instructions leave out the step with the screws",
    "a friend with steady hands makes the last part easy",
    "it smells strange for a day, and then it is gone",
    "writing down the date helps you remember when it is due",
)
_STARTS = ("Sure,", "Well,", "Right,", "Happy to help:", "Good question,", "Of course,", "Let me think,", "Okay,")
_FOLLOWS = (
    "And would that work for me?",
    "What would you do in my place?",
    "Is there a cheaper way to do it?",
    "Do I need anything special for that?",
    "That makes sense, what comes after that?",
    "Hm, and if it goes wrong?",
    "I see, who else should I ask?",
    "Alright, can I do it on a Sunday?",
)
_ENDS = (
    "Great, thanks a lot for that.",
    "Perfect, I will try it this evening.",
    "Lovely, then I know what to do.",
    "Okay, I feel better about it now.",
    "Thank you, you have been very clear.",
)
_CLOSINGS = ("You're welcome, good luck with it!", "Any time, tell me how it went.", "Glad to hear it, have fun!")
_CUTS = (
    "Sorry, hang on, I need a pen.",
    "Wait, could you say that more slowly?",
    "Oh, sorry, somebody is at the door.",
    "Hold on, that I already tried.",
    "Sorry, I lost you there, once more?",
    "Just a moment, is that really needed?",
    "No no, I meant something simpler.",
    "Actually, skip that, please.",
    "Wait, before you continue, is it safe?",
    "Ah, excuse me, I have to ask something.",
)
_REACTIONS = (
    "No problem, take your time.",
    "Of course, let me put it differently.",
    "Sure, I can wait.",
    "Alright, then we drop it.",
    "Yes, it is, don't worry.",
    "Fair enough, here it is again.",
)
_LISTENING = ("mm-hm", "right", "okay", "I see", "yeah", "uh-huh")
_FILLERS = ("um", "uh", "let me see", "well", "")


def author(ask: Ask) -> str:
    """The answer to a question of `dialogue`, `script` or `judge`."""
    if "barge-ins" in ask.question:
        return json.dumps(script(ask.data))
    if isinstance(ask.data, dict) and "topic" in ask.data:
        return json.dumps(dialogue(ask.data))
    return model.answer(ask)


def dialogue(brief: dict[str, str]) -> dict[str, object]:
    """Six to ten turns about the topic of a brief."""
    chance = random.Random(f"{brief['topic']} {brief['persona']}")
    subject = brief["topic"].partition(":")[0]
    clauses = chance.sample(_CLAUSES, 14)
    texts = [chance.choice(_OPENERS).format(subject)]
    questions = chance.sample(_FOLLOWS, chance.randint(2, 4))
    for question in questions:
        said = ", and ".join(clauses.pop() for _ in range(chance.randint(2, 3)))
        texts += [f"{chance.choice(_STARTS)} {said}.", question]
    texts += [f"{chance.choice(_STARTS)} {clauses.pop()}.", chance.choice(_ENDS), chance.choice(_CLOSINGS)]
    return {"turns": [{"role": "assistant" if k % 2 else "user", "text": text} for k, text in enumerate(texts)]}


def script(turns: list[dict[str, object]]) -> dict[str, object]:
    """One barge-in of the user, hesitations and listener responses at places without a pattern."""
    chance = random.Random(json.dumps(turns))
    long = [turn for turn in turns if turn["role"] == "assistant" and len(units(str(turn["text"]))) > 14]
    cut = chance.choice(long) if long and chance.random() < 0.7 else None
    barge_ins = []
    if cut is not None:
        text = str(cut["text"])
        after = _quote(text, chance.randint(6, len(units(text)) - 3))
        barge_ins = [
            {"turn": cut["turn"], "why": "They need something first.", "after": after, "occurrence": None,
             "says": chance.choice(_CUTS), "goes_on": chance.choice(_REACTIONS)}
        ]  # fmt: skip
    users = [turn for turn in turns if turn["role"] == "user" and len(units(str(turn["text"]))) > 5]
    others = [turn for turn in long if turn is not cut]
    beside = {
        "hesitations": [(chance.choice(users), _FILLERS)] if users else [],
        "backchannels": [(turn, _LISTENING) for turn in others[:2]],
    }
    found = {
        kind: [
            {"turn": turn["turn"], "why": "As people do.", "after": _quote(str(turn["text"]), _place(turn, chance)),
             "occurrence": None, "text": chance.choice(texts)}
            for turn, texts in places
        ]
        for kind, places in beside.items()
    }  # fmt: skip
    return {"barge_ins": barge_ins, **found}


def _place(turn: dict[str, object], chance: random.Random) -> int:
    """A word after which a clause may pause: behind a comma, or in the middle."""
    text = str(turn["text"])
    found = units(text)
    commas = [k + 1 for k, unit in enumerate(found[:-2]) if text[unit.start : unit.end].endswith(",") and k > 1]
    return chance.choice(commas) if commas else len(found) // 2


def _quote(text: str, n_words: int) -> str:
    """All words before a place: no shorter quote is sure to be there once."""
    return re.sub(r"\s+", " ", text[: units(text)[n_words - 1].end])
