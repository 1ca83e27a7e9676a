"""Faults of an object store: whether they are transient, and how to fix them."""

import re
from dataclasses import dataclass

from obstore.exceptions import GenericError

_TOKEN_TRIES = 4
"""Attempts to get credentials from the machine, which may be busy or, more likely, have none."""
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_KIND = re.compile(r"kind: (Connect|Timeout|Request|Interrupted|Decode)")
_KINDS = {
    "Connect": "no connection",
    "Timeout": "no answer in time",
    "Interrupted": "its answers are cut short",
}
_REFUSED = re.compile("Expired|InvalidAccessKeyId|InvalidToken|TokenRefresh|AuthenticationFailed|InvalidAuth")
_PASSES = re.compile("^(408|409|425|429|50[^1]|5[^0].)|RequestTimeout|SlowDown|Throttl|Busy")
"""Statuses and codes of an overloaded or failing store; 501 is a permanent refusal."""
_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound|FilesystemNotFound")


@dataclass(frozen=True, slots=True)
class BucketFault:
    """A fault, described in our own words, and how often to retry."""

    said: str
    fix: str
    max_tries: float = 1


def diagnose(error: Exception) -> BucketFault:
    """The fault of an exception of obstore, found from its text because it has no fields."""
    text = str(error)
    status, code = (match[1] if (match := pattern.search(text)) else "" for pattern in (_STATUS, _CODE))
    answer = " ".join(filter(None, (status, code)))
    fix = "fix that and run the same command again to resume"
    if "169.254.169.254" in text or "metadata.google.internal" in text or "token request" in text:
        said = "no credentials in the environment, and the machine gives none"
        return BucketFault(said, f"set the variables of docs/stores.md; {fix}", _TOKEN_TRIES)
    if status in ("401", "403") or _REFUSED.search(code):
        said = f"the store refuses the credentials of the environment ({answer})"
        return BucketFault(said, "renew them or their rights, then run the same command again to resume")
    if _NO_BUCKET.search(text):
        return BucketFault(f"there is no such bucket ({answer})", "create it, or check URL, endpoint and region")
    if isinstance(error, FileNotFoundError):
        return BucketFault("not there", "check the name")
    if "status code: 412" in text or "status code: 304" in text:
        return BucketFault("it was changed while it was read", "run again when it is at rest")
    if "builder error" in text:
        return BucketFault("a plain http endpoint is not allowed", "use https, or set AWS_ALLOW_HTTP=true and the like")
    if "configured region" in text:
        return BucketFault("the bucket is in another region", "set AWS_REGION")
    if status and not _PASSES.search(f"{status} {code}"):
        return BucketFault(f"the store answers {answer}", f"check URL and endpoint; {fix}")
    if not status and not isinstance(error, GenericError):
        return BucketFault("no store can hold a file of this name", "check the URL")
    kind = _KIND.search(text)
    said = f"the store answers {answer}" if status else _KINDS.get(kind[1] if kind else "", "the connection broke")
    return BucketFault(said, "when the store is well, run the same command again to resume", float("inf"))
