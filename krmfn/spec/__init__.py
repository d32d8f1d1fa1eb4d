"""The configuration API ``krmfn.dev/v1alpha1``: declarations, their decoder, and pydantic's models of them.

Nothing outside this package imports pydantic, and no model holds a plaintext.
"""
