"""Python imports this at its start where PYTHONPATH has this folder."""

from pathlib import Path

from krmfn.build import sandbox

sandbox.LAUNCHER = Path(__file__).with_name("launch_elsewhere.py")
