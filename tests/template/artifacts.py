"""What `sam build` made of the functions: is each what Lambda can run, and how large is it?

Run as a module, it prints a line for each function, and fails if one is for another processor, needs a library or a C library that
provided.al2023 does not have, or was not stripped.
"""

from __future__ import annotations

import io
import pathlib
import sys
import zipfile
from typing import Iterator

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import SymbolTableSection

from tests.template.transformed import binaries

BUILT = pathlib.Path(__file__).parents[2] / ".aws-sam/build"

# The C library's own, and the loader's name among them. What else a function needs is linked into it.
LIBRARIES = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-aarch64.so.1"}
# Of Amazon Linux 2023.
GLIBC = (2, 34)

# Bytes of an upload that a function should stay below, for its cold starts' sake.
AIM = 6_000_000


def zipped(path: pathlib.Path) -> int:
    """The size of its upload, made as SAM makes it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(path, path.name)
    return len(archive.getvalue())


def faults(elf: ELFFile) -> Iterator[str]:
    """Why Lambda could not run it, or not as well as it should."""
    if elf["e_machine"] != "EM_AARCH64":
        yield f"it is for {elf['e_machine']} and not for arm64"
    for section in elf.iter_sections():
        if isinstance(section, DynamicSection):
            needed = {tag.needed for tag in section.iter_tags("DT_NEEDED")}
            if others := needed - LIBRARIES:
                yield f"it needs {', '.join(sorted(others))}"
        elif isinstance(section, GNUVerNeedSection):
            wanted = {version.name for _, versions in section.iter_versions() for version in versions if version.name.startswith("GLIBC_2.")}
            newer = [name for name in wanted if tuple(map(int, name.removeprefix("GLIBC_").split("."))) > GLIBC]
            if newer:
                yield f"it needs a newer C library: {', '.join(sorted(newer))}"
        elif isinstance(section, SymbolTableSection) and section.name == ".symtab":
            yield "it is not stripped"


def main() -> int:
    found = 0
    # `sam build` may be asked for one of them.
    built = {binary: path for name, binary in binaries().items() if (path := BUILT / name / "bootstrap").exists()}
    if not built:
        print(f"no function is built in {BUILT}: `make build` does that", file=sys.stderr)
        return 1
    for binary, path in built.items():
        with open(path, "rb") as file:
            wrong = list(faults(ELFFile(file)))
        size = zipped(path)
        note = f"   above the aim of {AIM / 1e6:.0f} MB" if size > AIM else ""
        print(f"{binary:16} {path.stat().st_size / 1e6:5.1f} MB, {size / 1e6:4.1f} MB zipped{note}")
        for fault in wrong:
            print(f"  {binary}: {fault}", file=sys.stderr)
        found += len(wrong)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
