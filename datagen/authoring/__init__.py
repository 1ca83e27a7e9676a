"""Dialogues and scripts authored by a language model, before a build and apart from it.

    author.py     the job: plan, workers, summary        authoring_units.py  its units on disk
    authoring.py  the tasks of a record, in order        authored.py         brief and authored dialogue
    tasks.py      dialogue spoken translate judge        marking.py          script follow_up
    styling.py    style
    prompts.py    `prompts/NAME.LANGUAGE.md` → messages  answers.py          types of answers
    preflight.py  server and model before a run          canaries.py         tests of the judge
    copies.py     answers that repeat an example         meaning.py, persona.py  checks of content
    scenarios.py  a grid of briefs from tables           topics.py           briefs from a file
    llm_client.py dialect.py batches.py wire.py          the server          reopen.py  rejects again

A dialogue's text is data everywhere: it reaches the model as JSON between marks, answers are
checked by type and limits, and nothing in them can choose a task, a file or a request.
"""
