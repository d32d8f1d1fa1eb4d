"""The KRM function that kustomize calls: standard input to standard output, one process per config.

Rules enforced here: standard output is written once, at the end, and only on success; every result
goes to standard error as one line; nothing of argparse, rich or a Kubernetes client is imported.
kustomize reads standard output before it looks at the exit code and drops a function's results.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from krmfn.build.answer import Call, answer, placed, where_of
from krmfn.documents import strict
from krmfn.errors import SITE, Failure, OutputError, SpecError
from krmfn.files.read import Place, find_root, read_file
from krmfn.kustomize.kustomization import read_overlay
from krmfn.names import GENERATOR
from krmfn.objects import stream
from krmfn.sealing.job import Job
from krmfn.spec.parse import name_of
from krmfn.stores.access import Access
from krmfn.stores.pool import StorePool
from krmfn.text import printable
from krmfn.warned import Warnings, lines

if TYPE_CHECKING:
    from krmfn.deadline import Deadline
    from krmfn.warned import Warned

MAX_INPUT = 256 * 1024 * 1024


HINT = "krmfn audit -v and krmfn build -v show each"  # where nobody can add an option


def main(arguments: list[str], deadline: Deadline) -> int:
    """Serve one call and return the exit code; raises only for a bug."""
    SITE.address = os.environ.get("KRMFN_DOCS_URL", "")
    where = "krmfn"
    warnings = Warnings()
    watch = deadline.watch(where)
    try:
        with StorePool() as pool:
            base = Path.cwd()
            place = Place(base, find_root(base, os.environ))
            job = Job.start(Access(os.environ, deadline, place, warnings), pool)
            call = _receive(arguments, job)
            if isinstance(call.config, dict) and call.config.get("kind"):
                where = name_of(call.config)
            overlay = read_overlay(place)
            where = where_of(where, overlay)
            output = answer(call, overlay, job).text
    except Failure as failure:
        return _fail(failure, where, warnings.found)
    finally:
        watch.cancel()
    for line in lines(warnings.found, hint=HINT):
        sys.stderr.write(f"{printable(f'[warning] {where}: {line}')}\n")
    try:
        sys.stdout.buffer.write(output.encode())
        sys.stdout.buffer.flush()
    except OSError as error:
        reason = "was closed" if error.errno == errno.EPIPE else "cannot be written"
        return _fail(OutputError("output", f"standard output {reason}"), where, [])
    return 0


def _receive(arguments: list[str], job: Job) -> Call:
    """The call, from a ResourceList, or from a legacy plugin's config file and stream."""
    if not arguments:
        found = stream.read(_stdin(job))
        return Call(found.config, found.items, found.indent)
    config = strict.load(read_file(Path(arguments[0]), name="the config", key=""), "config")
    kind = config.get("kind") if isinstance(config, dict) else None
    # A legacy generator is given nothing; its standard input may be anybody's.
    return Call(config, () if kind == GENERATOR else stream.stream(_stdin(job)))


def _fail(failure: Failure, where: str, warnings: list[Warned]) -> int:
    """One line for each kind of warning and each error; the exit code of the first error."""
    told = [printable(f"[warning] {where}: {line}") for line in lines(warnings, hint=HINT)]
    told += [f"[error] {error.line()}" for error in placed(failure, where).errors]
    sys.stderr.write("\n".join(told) + "\n")
    return failure.errors[0].exit_code


def _stdin(job: Job) -> bytes:
    """Read all of standard input, up to a fixed limit or the platform's.

    Raises:
        SpecError, PolicyError: more than that.
    """
    limit = job.policy.spec.limits.input_bytes if job.policy else MAX_INPUT
    content = sys.stdin.buffer.read(min(limit, MAX_INPUT) + 1)
    if len(content) > MAX_INPUT:
        raise SpecError("input", "standard input is over 256 MiB")
    if job.usage is not None:
        job.usage.add_input(len(content))
    return content
