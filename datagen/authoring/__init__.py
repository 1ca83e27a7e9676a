"""Dialogues and scripts written by a language model, before a build and apart from it.

    recipe.py     every value of a run, and its default
    topics.py     topics, personas and styles → Brief
    written.py    Brief Written Mark: what goes in, what comes out
    prompts.py    `prompts/NAME.LANGUAGE.md` → messages
    answers.py    what a model must answer, as types and as the JSON schema sent to it
    checks.py     whether an answer fits what was asked        places.py   a quote → a place in a turn
    tasks.py      dialogue spoken translate judge               marking.py  script follow_up
    client.py     one question → one answer, however often the network must be asked
    wire.py       replies off the network    dialect.py  what a server understands    faults.py  what is wrong, and then
    pace.py       rate limits, waits         spend.py    tokens, money, budget        cache.py   no answer is paid twice
    pipeline.py   the tasks of a record, in order
    estimate.py   what a run would cost

A dialogue's text is data everywhere: it reaches the model as JSON between marks, what comes back is checked by
type and limits, and nothing in it can choose a task, a file or a request.
"""
