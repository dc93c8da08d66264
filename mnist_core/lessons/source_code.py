"""The source of a function of this package, read from its file: nothing is imported, so that the
web process can show what only a worker runs. Standard library only."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def source(module: str, name: str) -> str:
    """The lines of a function or class at the top of `mnist_core/<module>.py`, decorators and
    all; `module` is "package/module".

    Raises ValueError if there is none of that name.
    """
    text = (Path(__file__).parents[1] / f"{module}.py").read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            return "\n".join(text.splitlines()[first - 1 : node.end_lineno]) + "\n"
    raise ValueError(f"There is no {name!r} at the top of {module}.py.")
