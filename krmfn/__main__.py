"""The entry point: the function, or a command; and the last word on exit codes.

Start-up is what a build pays for each call, so the two shells share nothing but this file.
Rules enforced here: no crash leaves a core file, and no other process reads this one's memory;
signals are handled here alone; whatever happens, people read one line and never a traceback.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from typing import Any, NoReturn

from krmfn.process import interrupt, streams

START = time.monotonic()
_REFUSED = b"[error] krmfn: no memory or no file descriptor is left; raise ulimit [environment]\n"
_PR_SET_DUMPABLE = 4


def main() -> NoReturn:
    """Run, flush and leave at once, without tearing down the interpreter."""
    code = 2
    try:
        code = _main()
    except interrupt.Interrupted as stop:
        code = stop.exit_code
    except BaseException:  # noqa: BLE001  # even telling a failure failed
        os.write(2, _REFUSED)
    finally:
        # Saves 20 to 30 ms of freeing memory, and waits for no thread that waits for a server.
        interrupt.leave(code)


def _main() -> int:
    _close_off()
    interrupt.install(_clean)
    gc.disable()  # a run is short: collecting while importing costs a tenth of it
    # Plugins of pydantic found in the environment would run code of theirs, and cost 9 ms to find.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    sys.unraisablehook = lambda _: None  # its traceback may quote a value
    code = _flushed(_run(sys.argv[1:]))
    interrupt.finish()
    return code


def _close_off() -> None:
    """Prevent core files, and keep other processes of the user from reading this one's memory.

    `ctypes` itself takes 4 ms to import, what it is made of less than one.
    """
    import resource

    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError):
            from _ctypes import call_function, dlopen, dlsym

            here: Any = None  # this process, which has the C library in it
            prctl = dlsym(dlopen(here, os.RTLD_LAZY), "prctl")
            call_function(prctl, (_PR_SET_DUMPABLE, 0, 0, 0, 0))


def _clean() -> None:
    """Remove private folders that a block could not remove itself; never raises."""
    if module := sys.modules.get("krmfn.files.private"):
        module.remove_all()


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except OSError as error:
        return code or _unexpected(error)
    return code


def _run(arguments: list[str]) -> int:
    try:
        streams.prepare()
        if _is_function(arguments):
            from krmfn import function
            from krmfn.deadline import Deadline

            return function.main(arguments, Deadline.from_environment(START))
        from krmfn import cli

        return cli.main(arguments, START)
    except interrupt.Interrupted as stop:
        return stop.exit_code
    except SystemExit as stop:  # argparse
        return stop.code if isinstance(stop.code, int) else 2
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
    """Report an uncaught exception: our own errors, the environment's, and bugs without their message.

    An exception's text can quote a value, so a bug shows its type and place only.
    """
    from krmfn.errors import BUG_EXIT_CODE, Failure
    from krmfn.process.environment import explain

    failure = error if isinstance(error, Failure) else explain(error)
    if failure is not None:
        for each in failure.errors:
            sys.stderr.write(f"[error] krmfn: {each.line()}\n")
        return failure.errors[0].exit_code
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
