"""Writes dist/sbom.json: what the wheel and the image bring along (`vigie[lab]`), as CycloneDX, from requirements.lock.txt with its hashes.

The lock holds the tools of developers, too; what runs is found by following the requirements of what is installed.
"""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "dist" / "sbom.json"


def what_runs(name: str, extras: frozenset[str], found: set[str]) -> set[str]:
    """Names of all that a distribution needs with these extras; those of other platforms are not installed, and left out."""
    for text in metadata.requires(name) or ():
        wanted = Requirement(text)
        if wanted.marker and not any(wanted.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            continue
        other = canonicalize_name(wanted.name)
        if other not in found or wanted.extras:
            found.add(other)
            what_runs(other, frozenset(wanted.extras), found)
    return found


def main() -> int:
    """Write the file, and say how much is in it."""
    running = what_runs("vigie", frozenset({"lab"}), set()) - {"vigie"}
    blocks = re.findall(r"^\S.*(?:\n[ ]+.*)*", (ROOT / "requirements.lock.txt").read_text(), re.MULTILINE)
    kept = [block for block in blocks if canonicalize_name(block.partition("==")[0]) in running]
    OUT.parent.mkdir(exist_ok=True)
    tool = ["requirements", "--pyproject", "pyproject.toml", "--output-reproducible", "--output-file", str(OUT), "-"]
    command = [sys.executable, "-m", "cyclonedx_py", *tool]
    subprocess.run(command, cwd=ROOT, input="\n".join(kept), text=True, check=True)
    sys.stdout.write(f"{OUT.relative_to(ROOT)}: {len(kept)} libraries, each with its hashes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
