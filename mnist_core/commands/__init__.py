"""The commands of `python -m mnist_core`, a file each, with `ABOUT`, `options` and `run`.

The only package that prints, and never imported by the app. Each command imports what it needs when
it runs. May import `basis`, `imaging`, `design`, `data`, `training`, `estimates`, `runs`,
`charts` and `tools`.
"""
