"""The entry point: the function, or a command; and the last word on exit codes.

Start-up is what a build pays for each call, so the two shells share nothing but this file.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
import time

START = time.monotonic()


def main() -> None:
    """Run, flush and leave at once, without tearing down the interpreter."""
    _open_standard_streams()
    gc.disable()  # a run is short: collecting while importing costs a tenth of it
    # Plugins of pydantic found in the environment would run code of theirs, and cost 9 ms to find.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    code = _run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 5
    # Saves 20 to 30 ms of freeing memory, and waits for no thread that waits for a server.
    os._exit(code)


def _open_standard_streams() -> None:
    """Put something behind descriptors that the caller has closed.

    Else the next file or socket gets such a number, and what is meant for people lands in it.
    Writing to a closed standard output has to fail, so it becomes one that nobody reads.
    """
    for number, stream, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, stream) is None:
            name = "/dev/full" if number == 1 else os.devnull
            descriptor = os.open(name, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            if descriptor != number:
                os.dup2(descriptor, number)
            setattr(sys, stream, os.fdopen(number, mode, closefd=False))


def _run(arguments: list[str]) -> int:
    try:
        if _is_function(arguments):
            from krmfn import function
            from krmfn.deadline import Deadline

            return function.main(arguments, Deadline.from_environment(START))
        from krmfn import cli

        return cli.main(arguments, START)
    except KeyboardInterrupt:
        return 130
    except SystemExit as stop:  # argparse
        return stop.code if isinstance(stop.code, int) else 2
    except OSError as error:
        if error.errno in (errno.EPIPE, errno.ENOSPC, errno.EBADF):
            sys.stderr.write("[error] krmfn: standard output was closed [output]\n")
            return 5
        return _unexpected(error)
    except BaseException as error:  # noqa: BLE001  # nothing may print a traceback with values
        return _unexpected(error)


def _is_function(arguments: list[str]) -> bool:
    """Whether kustomize calls: without arguments, or as a legacy plugin with a config file."""
    if not arguments:
        return not sys.stdin.isatty()
    legacy = "KUSTOMIZE_PLUGIN_CONFIG_ROOT" in os.environ
    # kustomize names its temporary file by an absolute path, which no command is.
    return legacy and os.path.isabs(arguments[0]) and os.path.isfile(arguments[0])  # noqa: PTH113, PTH117


def _unexpected(error: BaseException) -> int:
    """One line for our own errors that nobody caught, and for bugs without their message.

    An exception's text can quote a value, so a bug shows its type and place only.
    """
    from krmfn.errors import BUG_EXIT_CODE, Failure

    if isinstance(error, Failure):
        for each in error.errors:
            sys.stderr.write(f"[error] krmfn: {each.line()}\n")
        return error.errors[0].exit_code
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""  # noqa: PTH119
    sys.stderr.write(
        f"[error] krmfn: internal error: {type(error).__name__} at {place}; please report it "
        "(KRMFN_DEBUG=1 shows where it came through)\n"
    )
    if os.environ.get("KRMFN_DEBUG"):
        for frame in frames:
            sys.stderr.write(f"  {frame.filename}:{frame.lineno} in {frame.name}\n")
    return BUG_EXIT_CODE


if __name__ == "__main__":
    main()
