"""krmfn seals vault values for the overlay's namespace while kustomize builds."""

__version__ = "0.1.0"
