"""A reader finds one thing under one name: no class name stands for two things, and no module imports itself in a
circle."""

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

PACKAGES = ("schemas", "referral_bus", "producers", "consumers", "deploy")


def classes() -> Iterator[str]:
    for package in PACKAGES:
        for path in Path(package).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def test_no_class_name_means_two_things() -> None:
    assert [name for name, count in Counter(classes()).items() if count > 1] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    TopologicalSorter(imports).prepare()  # raises CycleError, which names the circle
