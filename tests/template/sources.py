"""What the functions' sources read and call, as far as a look at the text tells: the template is held against it.

A call of an AWS client is a method without arguments that is named as an operation of one of the services whose SDK the package
depends on; the operations' names are in botocore's models. A function also makes the calls of the workspace's crates that have such
clients: of those methods that it calls on a value named like the type (`store.get(…)` for `Store`).
"""

from __future__ import annotations

import functools
import pathlib
import re
from typing import Iterator

import botocore.session
from botocore import xform_name

ROOT = pathlib.Path(__file__).parents[2]

# Methods and modules that only tests have.
TEST_CODE = re.compile(r"^\s*#\[cfg\(test\)\]\s*$", re.MULTILINE)


def package(function: str) -> pathlib.Path:
    return ROOT / "functions" / function


def variables(function: str) -> set[str]:
    """The environment variables that config.rs, and what is under config/, name; not those that Lambda sets itself."""
    source = package(function) / "src"
    files = [source / "config.rs", *sorted((source / "config").glob("*.rs"))]
    text = "\n".join(production(path) for path in files if path.exists())
    with_underscore = re.findall(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"', text)
    looked_up = re.findall(r'\b(?:arn|get|lookup|need|parsed|read)\(\s*"([A-Z][A-Z0-9_]*)"', text)
    return {name for name in {*with_underscore, *looked_up} if not name.startswith("AWS_")}


def calls(function: str) -> set[str]:
    """The operations that a function calls, as `s3:GetObject`."""
    folder = package(function)
    found = operations(source_of(folder), services(folder))
    text = source_of(folder)
    for crate in shared_crates(folder):
        for method, called in methods(crate).items():
            if re.search(rf"\b{receiver(crate)}\s*\.\s*{method}\(", text):
                found |= called
    return found


def shared_crates(folder: pathlib.Path) -> list[pathlib.Path]:
    """The crates of the workspace that a package depends on and that have AWS clients of their own."""
    crates = [ROOT / "crates" / name for name in dependencies(folder)]
    return [crate for crate in crates if crate.is_dir() and services(crate)]


def receiver(crate: pathlib.Path) -> str:
    """The name of a value of the crate's one type with a client, as functions have it: `Store` is `store`."""
    (name,) = re.findall(r"pub struct (\w+) \{\n(?:\s*///[^\n]*\n)*\s*client: Client,", source_of(crate))
    return name.lower()


def methods(crate: pathlib.Path) -> dict[str, set[str]]:
    """The operations behind each public method of a crate."""
    parts = re.split(r"\n    pub (?:async )?(?:const )?fn (\w+)", source_of(crate))
    return {name: operations(body, services(crate)) for name, body in zip(parts[1::2], parts[2::2])}


def services(folder: pathlib.Path) -> set[str]:
    return {name.removeprefix("aws-sdk-") for name in dependencies(folder) if name.startswith("aws-sdk-")}


def dependencies(folder: pathlib.Path) -> list[str]:
    manifest = (folder / "Cargo.toml").read_text(encoding="utf-8")
    (section,) = re.findall(r"^\[dependencies\]$(.*?)(?=^\[|\Z)", manifest, re.MULTILINE | re.DOTALL)
    return re.findall(r"^([\w-]+)(?:\.workspace)? =", section, re.MULTILINE)


def operations(text: str, of_services: set[str]) -> set[str]:
    methods_called = set(re.findall(r"\.\s*([a-z][a-z0-9_]*)\(\)", text))
    return {f"{service}:{operation}" for service in of_services for method, operation in model(service).items() if method in methods_called}


@functools.cache
def model(service: str) -> dict[str, str]:
    """A service's operations by the name that the SDK's client gives them."""
    names = botocore.session.get_session().get_service_model(service).operation_names
    return {xform_name(name): name for name in names}


@functools.cache
def source_of(folder: pathlib.Path) -> str:
    return "\n".join(production(path) for path in sources(folder))


def sources(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """A package's files without those of its tests: modules that are declared under cfg(test)."""
    source = folder / "src"
    all_files = sorted(source.rglob("*.rs"))
    declared = "\n".join(path.read_text(encoding="utf-8") for path in all_files)
    test_modules = set(re.findall(r"#\[cfg\(test\)\]\s*(?:pub(?:\(\w+\))? )?mod (\w+);", declared))
    for path in all_files:
        if not test_modules & {path.stem, *path.relative_to(source).parent.parts}:
            yield path


@functools.cache
def production(path: pathlib.Path) -> str:
    """A file's text without comments and up to its tests, which stand last."""
    text = path.read_text(encoding="utf-8")
    for match in TEST_CODE.finditer(text):
        if re.match(r"\s*(?:pub(?:\(\w+\))? )?mod \w+ \{", text[match.end() :]):
            text = text[: match.start()]
            break
    return re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)
