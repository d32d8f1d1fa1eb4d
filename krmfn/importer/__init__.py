"""Convert existing files to krmfn's own: one module for each kind of source. Pure.

Rules enforced here: what has no equivalent is refused with its position, all of it at once, and
never left out in silence; a value travels as a `Plaintext` and reaches no text; the same material
gives the same text.
"""
