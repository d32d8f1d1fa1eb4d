"""When a signal interrupts, and when it does not."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from krmfn.files import private
from krmfn.files.private import private_folder, remove_all
from krmfn.process import interrupt
from krmfn.process.interrupt import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has arrived."""
    for name, value in {"number": None, "held": 0, "finished": False, "clean": None}.items():
        monkeypatch.setattr(interrupt._State, name, value)


def test_the_first_raises_at_once() -> None:
    """With the exit code of a shell."""
    with pytest.raises(Interrupted) as caught:
        interrupt._arrived(15, None)
    assert caught.value.exit_code == 143


def test_a_block_that_is_held_is_finished_first() -> None:
    """The signal is raised behind the outermost one."""
    done = []
    with pytest.raises(Interrupted), interrupt.held():  # noqa: PT012  # the block is the test
        with interrupt.held():
            interrupt._arrived(2, None)
            done.append(1)
        done.append(2)
    assert done == [1, 2]


def test_a_safe_moment_raises_inside_a_block() -> None:
    """Where nothing is half done."""
    with pytest.raises(Interrupted), interrupt.held():  # noqa: PT012  # the block is the test
        interrupt.check()
        interrupt._arrived(2, None)
        interrupt.check()


def test_what_is_finished_is_not_interrupted() -> None:
    """Neither by one that waited, nor by one that comes later."""
    with interrupt.held():
        interrupt._arrived(2, None)
        interrupt.finish()
    interrupt.check()


def test_the_second_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held or not, after cleaning up."""
    left: list[int | str] = []
    monkeypatch.setattr(os, "_exit", left.append)
    monkeypatch.setattr(interrupt._State, "clean", lambda: left.append("clean"))
    with pytest.raises(Interrupted), interrupt.held():  # noqa: PT012  # the block is the test
        interrupt._arrived(2, None)
        interrupt._arrived(15, None)
    assert left == ["clean", 143]


def leftovers(parent: Path) -> list[str]:
    return [one.name for one in parent.iterdir()]


def test_a_private_folder(tmp_path: Path) -> None:
    """It is the user's alone, and goes with its block, whatever ends it."""
    with pytest.raises(ValueError, match="x"), private_folder(tmp_path) as folder:  # noqa: PT012
        assert folder.stat().st_mode & 0o7777 == 0o700
        (folder / "deep/er").mkdir(parents=True)
        (folder / "deep/er/file").touch()
        raise ValueError("x")
    assert leftovers(tmp_path) == []


def test_a_signal_while_the_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes at the worst moment: the folder is there, its name known to nobody."""
    made = os.mkdir

    def mkdir(*arguments: object, **named: object) -> None:
        made(*arguments, **named)  # type: ignore[arg-type]
        interrupt._arrived(15, None)

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises(Interrupted), private_folder(tmp_path):
        raise AssertionError("not entered")
    assert leftovers(tmp_path) == []


def test_whoever_leaves_at_once_leaves_no_folder(tmp_path: Path) -> None:
    """All folders go, and their blocks end without an error."""
    with private_folder(tmp_path), private_folder(tmp_path):
        assert len(leftovers(tmp_path)) == 2
        remove_all()
        assert leftovers(tmp_path) == []


def test_a_deep_folder_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deeper than functions may call each other."""
    with private_folder(tmp_path) as folder:
        monkeypatch.chdir(folder)
        for _ in range(1500):
            Path("a").mkdir()
            os.chdir("a")
        os.chdir(tmp_path)
    assert leftovers(tmp_path) == []


def _makes_its_own(_stack: ExitStack, parent: Path) -> None:
    with private_folder(parent):
        assert len(leftovers(parent)) == 2


@pytest.mark.parametrize(
    "end",
    [lambda stack, _: stack.close(), lambda *_: remove_all(), _makes_its_own],
    ids=["its block ends", "it leaves at once", "it makes its own"],
)
def test_a_forked_child_leaves_its_parents_folder(
    tmp_path: Path, end: Callable[[ExitStack, Path], None]
) -> None:
    """However the child ends; its own folder goes."""
    with ExitStack() as stack:
        folder = stack.enter_context(private_folder(tmp_path))
        if not (child := os.fork()):
            code = 1
            try:
                end(stack, tmp_path)
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert leftovers(tmp_path) == [folder.name]
        assert folder.is_dir()
    assert leftovers(tmp_path) == []


def test_whoever_leaves_while_a_folder_is_removed_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second signal comes in the middle: the folder is still known, and goes as a whole."""
    delete, times = private._delete, []

    def interrupted(folder: Path) -> None:
        times.append(folder)
        if len(times) == 1:
            remove_all()
            assert leftovers(tmp_path) == []
        delete(folder)

    monkeypatch.setattr(private, "_delete", interrupted)
    with private_folder(tmp_path):
        pass
    assert len(times) == 2


def test_the_dead_are_cleaned_up_after_and_the_living_left_alone(tmp_path: Path) -> None:
    """A lock tells, since a number of a process can be somebody else's by now."""
    dead = tmp_path / "krmfn-private-dead"
    (dead / "tree").mkdir(parents=True)
    (tmp_path / "krmfn-other").mkdir()
    (tmp_path / "krmfn-private-file").touch()
    (tmp_path / "target").mkdir()
    (tmp_path / "krmfn-private-link").symlink_to("target")
    with private_folder(tmp_path) as living:
        (living / "file").touch()
        with private_folder(tmp_path):
            assert (living / "file").exists()
    kept = {"krmfn-other", "krmfn-private-file", "krmfn-private-link", "target"}
    assert set(leftovers(tmp_path)) == kept


def test_another_process_takes_a_new_folder_for_a_dead_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be gone between its creation and its lock: then there is another one."""
    make, made = tempfile.mkdtemp, list[str]()

    def mkdtemp(*arguments: object, **options: object) -> str:
        made.append(make(*arguments, **options))  # type: ignore[call-overload]
        if len(made) == 1:
            Path(made[0]).rmdir()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    with private_folder(tmp_path) as folder:
        assert folder == Path(made[1]).resolve()
        assert folder.is_dir()
