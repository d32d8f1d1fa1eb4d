"""`coverage json -o - | branches.py 90`: fails when fewer per cent of the branches were taken."""

from __future__ import annotations

import json
import sys

totals = json.load(sys.stdin)["totals"]
taken, all_of_them = totals["covered_branches"], totals["num_branches"]
share, wanted = 100 * taken / all_of_them, float(sys.argv[1])
print(f"branches of the core: {taken} of {all_of_them}, {share:.1f} % (at least {wanted:g} %)")
sys.exit(share < wanted)
