"""
What is packaged and what it needs.  C{setup.py install} is refused, see
L{RefuseInstall}; the tools' settings stand in C{pyproject.toml}.
"""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.install import install

BENCH = [
    "psutil>=6.0",  # the first with Process.net_connections
    "pygal>=3.0",
]

TEST = [
    *BENCH,  # the tests start programs as the measurements do
    "hypothesis>=6.100",
    "wsproto>=1.2",  # the other end of WebSocket, by others
]

DOCS = [
    "furo>=2025.12.19",  # tried with Sphinx 9.1
    "sphinx>=8.1",  # the last for Python 3.10
]

DEVELOPMENT = [
    *TEST,
    "build>=1.2",
    "coverage>=7.10",  # the first with `patch = subprocess`
    "mypy==2.4.1",  # these three as they are: a newer one may ask for something new
    "mypy-zope==1.0.17",
    "ruff==0.17.6",
    "nox>=2026.8",
    "tomli>=2.0.1",  # mypy looks at all that 3.10 would import
    "towncrier>=25.8",
    "types-psutil",
    "types-setuptools",
]


SHARED: dict[Path, list[str]] = {}
"""Manual pages and completion for shells, by the directories where they are installed."""

for file in sorted(path for path in Path("share").rglob("*") if path.is_file()):
    SHARED.setdefault(file.parent, []).append(str(file))


class RefuseInstall(install):
    """
    An egg-style install would record C{twisted} as this package's own
    directory, and uninstalling it would then remove Twisted itself.  Building a
    wheel runs this command too, with a root of its own, and is let through.
    """

    def run(self) -> None:
        """
        @raise SystemExit: when the files would go straight into this environment.
        """
        if not self.root:
            reason = "error: `setup.py install` would damage Twisted, use `pip install .` instead"
            raise SystemExit(reason)
        super().run()


setup(
    name="txuotp",  # on PyPI `uotp` is something else; the package and the programs are called `uotp`
    use_incremental=True,  # takes the version from the one `_version.py` that there is
    description="UDP datagrams through a pool of TLS connections, for where UDP is blocked",
    long_description=Path(__file__).with_name("README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    author="the uotp authors",
    url="https://pypi.org/project/txuotp/",
    license_expression="MIT",
    license_files=["LICENSE"],
    keywords=["udp", "tls", "tunnel", "wireguard", "vpn", "twisted"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Environment :: No Input/Output (Daemon)",
        "Framework :: Twisted",
        "Intended Audience :: End Users/Desktop",
        "Intended Audience :: System Administrators",
        "Operating System :: MacOS",
        "Operating System :: Microsoft :: Windows",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: Implementation :: CPython",
        "Topic :: Internet :: Proxy Servers",
        "Topic :: System :: Networking",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    # The floors of the first three are the releases that mend the security
    # advisories known for them.  The first two have a bound above as well, since we use
    # names of theirs that they may change without a word: tests/test_internals.py says which.
    install_requires=[
        "Twisted[tls]>=26.4,<27",  # tried with 26.10
        "pyOpenSSL>=26.2,<27",  # the first that takes such a cryptography; tried with 26.4
        "cryptography>=48.0.1",
        "service-identity>=24.1",
        "incremental>=24.7.2",
        "cffi>=1.17",
        "h11>=0.16",  # heads of HTTP, at either end; older ones take malformed chunks
        "prometheus-client>=0.22",  # is loaded only with --metrics
        "segno>=1.6",  # QR codes, for `uotp cert --qr` alone
        "msgspec>=0.19",  # for configuration files, and reports; the first with wheels for 3.13
        "rich>=13.7",  # tables of `uotp status` and `uotp top` alone; tried with 15.0
        'tomli>=2.0.1; python_version < "3.11"',  # newer ones have it in the standard library
    ],
    extras_require={"bench": BENCH, "test": TEST, "docs": DOCS, "dev": DEVELOPMENT},
    # `twisted/plugins` has no `__init__.py`, so it is named by hand, and without
    # the line on `package_dir` an editable install would lose it in silence.
    packages=[*find_packages(include=["uotp", "uotp.*"]), "twisted.plugins"],
    package_dir={"": "."},
    package_data={"uotp.monitoring.web": ["*.css", "*.js"], "uotp": ["py.typed"], "uotp.cli": ["host/*"]},
    data_files=[(str(folder), files) for folder, files in SHARED.items()],
    zip_safe=False,
    cmdclass={"install": RefuseInstall},
    entry_points={
        "console_scripts": [
            "uotp = uotp.cli.main:main",
            "uotp-client = uotp.cli.main:client",
            "uotp-server = uotp.cli.main:server",
        ],
    },
)
