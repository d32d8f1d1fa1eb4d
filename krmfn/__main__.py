"""The entry point: the function, or a command; and the last word on exit codes.

Start-up is what a build pays for each call, so the two shells share nothing but this file.
"""

from __future__ import annotations

import gc
import os
import sys
import time

START = time.monotonic()


def main() -> None:
    """Run, flush and leave at once, without tearing down the interpreter."""
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


def _run(arguments: list[str]) -> int:
    try:
        if _is_function(arguments):
            from krmfn import fn
            from krmfn.deadline import Deadline

            return fn.main(arguments, Deadline.from_environment(START))
        from krmfn import cli

        return cli.main(arguments, START)
    except KeyboardInterrupt:
        return 130
    except SystemExit as stop:  # argparse
        return stop.code if isinstance(stop.code, int) else 2
    except BaseException as error:  # noqa: BLE001  # nothing may print a traceback with values
        return _unexpected(error)


def _is_function(arguments: list[str]) -> bool:
    """Whether kustomize calls: without arguments, or as a legacy plugin with a config file."""
    if not arguments:
        return not sys.stdin.isatty()
    return "KUSTOMIZE_PLUGIN_CONFIG_ROOT" in os.environ and os.path.isfile(arguments[0])  # noqa: PTH113


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
