"""The configuration API ``krmfn.dev/v1alpha1`` as pydantic models.

Nothing outside this package imports pydantic, and no model holds a plaintext.
"""
