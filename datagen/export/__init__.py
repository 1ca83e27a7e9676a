"""Conversations of a build in the formats of other packages: sound files, shards and their lists.

    from datagen.export.export_job import ExportRequest, export

    export("out/mine", "out/moshi", ExportRequest(preset="moshi-finetune"))

An export is a job: it runs in units on processes or Ray, resumes after it was killed, and ends with
the same bytes. `formats` has one file per format.
"""
