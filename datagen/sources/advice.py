"""Fixes of rejects, by reason."""

FIXES = {
    "not_an_object": "give one JSON object per record",
    "broken_json": "fix the JSON there, or name the file .json if one record has several lines",
    "invalid_unicode": "write the file again as UTF-8",
    "too_deep": "flatten the record, or leave the nested field out",
    "bad_number": "write long numbers as text",
    "bad_value": "change the type of the column",
    "record_too_large": "raise input.max_record_bytes, or split the record",
    "unknown_shape": "correct the fields in input.mapping, or leave input.mapping and input.shape out",
    "unknown_role": "name each speaker in the records, or leave input.mapping and input.shape out",
    "too_many_speakers": "name the roles of all speakers under input.roles",
    "ambiguous_shape": "set input.shape to one of the shapes named there",
    "bad_turns": "fix the list of turns, or describe it under input.mapping",
    "bad_text": "give text for each turn; if its field has another name, set input.mapping (docs/sources.md)",
    "not_text": "leave such records out: the answer rests on an image or sound",
    "role_labels": "split the text at its role labels, or describe them under input.mapping (labels)",
    "tool_turns": "give records in which the assistant answers in words",
    "no_turns": "give a user's turn and an answer; if a role is misread, name it under input.roles",
    "undesirable": "nothing, if the label means a bad answer; else set input.mapping.label to another field",
    "duplicate_id": "give each record its own id, or none; in a table, put the rows of a dialogue together",
    "bad_mark": "fix the mark, or leave marks out",
    "bad_scores": "fix the scores, or rename the field if it is no judge's",
    "bad_written_by": "fix the origins, or rename the field",
    "bad_styles": "fix the styles, or rename the field",
    "language": "add the language to select.languages, and voices that speak it; for Chinese, use the recipe `chinese` "
    "(extra zh)",
    "too_few_turns": "lower select.min_turns",
    "too_many_turns": "raise select.max_turns",
    "too_few_words": "lower select.min_words",
    "too_many_words": "raise select.max_words",
    "turn_too_long": "raise select.max_words_per_turn",
    "low_score": "lower select.min_scores",
    "no_score": "have it judged, or set select.require_scores to false",
    "duplicate": "leave repeated dialogues out, or set input.exact_duplicates to false",
    "near_duplicate": "leave repeated dialogues out, or raise input.near_duplicates",
    "tool_call": "set select.trim to true, so that the dialogue is cut before it",
    "chat_template": "remove the marks of the template from the text",
    "reasoning": "close the tags of the reasoning, so that it can be dropped, or remove it",
    "media_tag": "leave such records out: the dialogue is about an image or sound",
    "stage_direction": "remove it from the text, because marks count its words",
    "control_characters": "write the file again as UTF-8",
    "foreign_script": "leave dialogues of mixed languages out, or raise select.max_rare_share",
    "unreadable": "write these parts in words",
    "unspeakable": "leave such records out: a turn has no word",
    "code": "raise select.max_code_share",
    "mathematics": "raise select.max_math_symbols",
    "table": "raise select.max_table_rows",
    "html": "raise select.max_html_tags",
    "list": "raise select.max_list_items",
    "urls": "raise select.max_urls",
    "placeholder": "raise select.max_placeholders",
    "long_word": "raise select.max_word_length",
    "repetition": "raise select.max_repeated_share",
    "rare_symbols": "raise select.max_rare_share",
    "broken_sound": "convert the file to WAV or FLAC",
    "no_sound": "add the sound file, or leave its part out with input.recordings.parts",
    "bad_segment": "fix the fields named there, or download the transcripts of the corpus again",
    "not_one_channel": "save one channel per file",
    "low_confidence": "lower input.recordings.min_confidence, or choose input.recordings.parts",
    "not_two_files": "set input.recordings.names so that each recording has two files of different speakers",
    "not_two_channels": "set input.recordings.layout: pairs, if each speaker has a file",
    "not_two_speakers": "leave such recordings out, or give both speakers one name each",
    "ambiguous_recording": "set input.recordings.names so that each file is a recording of its own",
    "not_a_file": "save the recordings as files, and list these in the manifest",
    "transform": "save the changed sound as files, and list these in the manifest",
    "no_transcript": "name its transcript under input.recordings.transcripts, or set input.recordings.recognizer; in "
    "LibriSpeech, add its line to the transcript of the chapter",
    "unknown_channels": "set input.recordings.speakers",
    "too_short": "lower input.recordings.min_segment_seconds",
    "too_long": "lower input.recordings.cut_silence_ms, or raise segment_seconds",
    "one_sided": "leave recordings of one speaker out, or lower input.recordings.limits.min_speech_seconds",
    "silent": "check the channels of the transcript, or lower input.recordings.limits.min_level_dbfs",
    "clipped": "raise input.recordings.limits.max_clipped_share",
    "wrong_channels": "swap the channels of the transcript, or set input.recordings.speakers",
    "long_silence": "raise input.recordings.limits.max_silence_seconds, or lower segment_seconds",
    "too_much_overlap": "raise input.recordings.limits.max_overlap_share",
    "cross_talk": "raise input.recordings.limits.max_cross_talk_db",
}
"""A fix per reason, of reading and of selection; each names the setting, if there is one."""


MADE = frozenset(("unknown_shape", "unknown_role", "too_many_speakers", "bad_text"))
"""Reasons whose details may end with a fix made from the record, which comes before the one of the table."""
_MARK = "; to fix: "


def with_fix(detail: str, fix: str) -> str:
    """A detail of a reject of `MADE` with its fix.

    >>> with_fix("no role", "name it")
    'no role; to fix: name it'
    """
    return f"{detail}{_MARK}{fix}"


def fix_of(reason: str, detail: str = "") -> str:
    """The fix of a reject; empty if its detail says all there is.

    >>> fix_of("too_few_turns"), fix_of("unknown_role", "no role; to fix: name it")
    ('lower select.min_turns', 'name it')
    """
    made = detail.rpartition(_MARK)[2] if reason in MADE and _MARK in detail else ""
    return made or FIXES.get(reason, "")


def without_fix(reason: str, detail: str) -> str:
    """A detail without the fix that it ends with.

    >>> without_fix("unknown_role", "no role; to fix: name it")
    'no role'
    """
    return detail.rpartition(_MARK)[0] if reason in MADE and _MARK in detail else detail
