"""The mutants themselves: there, and programs."""

from __future__ import annotations

from tests import mutants


def test_every_named_mutant_can_be_made() -> None:
    """Its text is in the code once, and what takes its place is Python."""
    for mutant in mutants.named().values():
        text = (mutants.ROOT / mutant.module).read_bytes()
        compile(mutant.applied(text), mutant.module, "exec")


def test_random_ones_are_the_same_for_a_seed() -> None:
    """Each is Python, differs from the code, and two seeds differ."""
    found = mutants.at_random(20, 1)
    assert found == mutants.at_random(20, 1) != mutants.at_random(20, 2)
    for mutant in found:
        text = (mutants.ROOT / mutant.module).read_bytes()
        assert mutant.applied(text) != text
        compile(mutant.applied(text), mutant.module, "exec")
