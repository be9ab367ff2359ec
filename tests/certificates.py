"""A certificate for servers of tests, which signs itself."""

import ssl
import subprocess
from pathlib import Path


def make_certificate(directory: Path, name: str = "server") -> tuple[Path, Path]:
    """Write NAME.pem and NAME.key, for 127.0.0.1 and localhost; a second call takes the place of the first."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    kind = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30")
    names = ("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    argv = ["openssl", *kind, *names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    return certificate, key


def trusting(certificate: Path) -> ssl.SSLContext:
    """A client that trusts this certificate."""
    return ssl.create_default_context(cafile=str(certificate))
