"""The commands of `python -m mnist_core`, a file each, with `ABOUT`, `options` and `run`.

The only package that prints. Each command imports what it needs when it runs. May import
everything.
"""
