"""One module per architecture, and `specs`, which lists them.

To add one (Stable Diffusion 3.5, say), write a class with the methods of `base.DiffusionModel` in a
module of its own, and its `FamilySpec` in `specs`; nothing outside of this package names an
architecture.
"""
