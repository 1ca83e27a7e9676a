"""The command audit: predictors that should fail on a finished build, and one that should succeed."""

from typing import Annotated

import typer

from datagen.cli.app import app


@app.command("audit")
def audit_build(
    out: Annotated[str, typer.Argument(metavar="OUT", help="Output of a finished build.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array instead of text.")] = False,
    conversations: Annotated[
        int, typer.Option("--conversations", min=1, help="Read about N conversations of a larger build.")
    ] = 5000,
) -> None:
    """Try predictors that should fail, and one that should not (docs/audit.md). Exit status 1 if it is otherwise."""
    from datagen.audit.audit import audit
    from datagen.shards.manifest import Manifest
    from datagen.shards.store import open_store

    manifest = Manifest.load(open_store(out))
    findings = audit(manifest, conversations)
    if as_json:
        import json

        from datagen.audit.audit import as_json as plain

        typer.echo(json.dumps(plain(findings), ensure_ascii=False))
    else:
        from datagen.audit.audit import show, title
        from datagen.terminal import console

        typer.echo(title(manifest, conversations))
        show(findings, console())
    if any(finding.verdict == "fail" for finding in findings):
        raise typer.Exit(1)
