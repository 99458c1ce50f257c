# shellcheck shell=bash disable=SC2034,SC2154,SC2164
#
# The steps of .ci/run, each a function that is run in a shell of its own with
# `set -e`, from the directory of the clone that it is given.  They know nothing of order,
# time or what is shown.  $work is the directory for all that is made.

VERSIONS=(3.10 3.11 3.12 3.13)
MAIN_VERSION=3.12
ORIGINAL_VERSION=3.8 # newer ones stop in the original's TLS after a few datagrams
ORIGINAL="udp-over-tls-pool==0.1.1"

# Commands that the integration tests run, and the Debian packages that have them.
declare -A PACKAGES=(
    [git]=git
    [haproxy]=haproxy
    [ip]=iproute2
    [nft]=nftables
    [ping]=iputils-ping
    [systemd-analyze]=systemd
    [wg]=wireguard-tools
    [wireguard-go]=wireguard-go
)

# What is missing of these is installed; a missing Python is an error.
prepareMachine() {
    local command version missing=()
    for command in "${!PACKAGES[@]}"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null || missing+=("${PACKAGES[$command]}")
    done
    if ((${#missing[@]})); then
        echo "installing ${missing[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "${missing[@]}"
    fi
    for version in "$ORIGINAL_VERSION" "${VERSIONS[@]}"; do
        pythonOf "$version"
    done
}

# pythonOf VERSION: prints the path of that CPython, from pyenv or from the PATH.
pythonOf() {
    local version=$1 candidate root
    root=${PYENV_ROOT:-$(pyenv root 2>/dev/null || echo "$HOME/.pyenv")}
    for candidate in "$root"/versions/"$version".*/bin/python"$version" "$(command -v "python$version" || true)"; do
        if "$candidate" -c "import ensurepip, ssl, venv" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "CPython $version with venv and ssl is missing: install it with pyenv or as python$version" >&2
    return 1
}

# newVenv NAME VERSION: makes a virtual environment, $work/NAME.
newVenv() {
    local python
    python=$(pythonOf "$2")
    "$python" -m venv "$work/$1"
}

# freshClone NAME: what is committed, in $work/NAME.
freshClone() {
    git clone --quiet "$root" "$work/$1"
}

# listsBothPlugins VENV: whether twistd there has both of our commands.
listsBothPlugins() {
    local help command
    help=$("$work/$1/bin/twistd" --help)
    for command in uotp-server uotp-client; do
        if ! grep "^ *$command " <<<"$help"; then
            echo "twistd does not list $command, installed as in $1"
            return 1
        fi
    done
}

# readmeBlock NAME: prints the block after the comment line ".. NAME", as it stands there.
readmeBlock() {
    awk -v marker=".. $1" '
        $0 == marker { found = 1; next }
        found && /^    / { print substr($0, 5); inside = 1; next }
        inside && /^$/ { print; next }
        inside { exit }
        END { exit !inside }
    ' README.rst
}

# readmeCommand NAME: what is printed is run, with nothing there but a clone and a Python.
readmeCommand() {
    local name=$1 python
    python=$(pythonOf "$MAIN_VERSION")
    freshClone "$name"
    cd "$work/$name"
    readmeBlock "$name" >"$work/$name.sh"
    cat "$work/$name.sh"
    PATH="$(dirname "$python"):$PATH" bash -e "$work/$name.sh"
}

# readmeTests NAME: the same with the original there, and all else that a test may need: so
# this is the one time that every test is run.
readmeTests() {
    UOTP_REQUIRE_ALL=1 UOTP_ORIGINAL=$work/original/bin readmeCommand "$1"
}

checkStyle() {
    freshClone style
    cd "$work/style"
    newVenv style-venv "$MAIN_VERSION"
    "$work/style-venv/bin/pip" install --quiet -e ".[dev]"
    "$work/style-venv/bin/ruff" check .
    "$work/style-venv/bin/ruff" format --check .
    "$work/style-venv/bin/mypy"
    "$work/style-venv/bin/towncrier" build --draft >/dev/null
}

# The programs of the original, for all steps that follow.
installOriginal() {
    newVenv original "$ORIGINAL_VERSION"
    "$work/original/bin/pip" install --quiet "$ORIGINAL"
}

# installSuite VERSION: an editable install, which is what developers use.
installSuite() {
    freshClone "suite-$1"
    newVenv "venv-$1" "$1"
    cd "$work/suite-$1"
    "$work/venv-$1/bin/pip" install --quiet -e ".[test]"
    listsBothPlugins "venv-$1"
}

fastSuite() {
    cd "$work/suite-$1"
    "$work/venv-$1/bin/python" .ci/fast_suite.py
}

# integrationSuite VERSION: what may differ with the interpreter and the operating system's
# interfaces.  The README's command runs all tests, on the main version.
integrationSuite() {
    local version=$1 module modules=()
    if [ "$version" = "$MAIN_VERSION" ]; then return; fi
    for module in formats programs connections datagram_port; do
        modules+=("tests.integration.test_$module")
    done
    cd "$work/suite-$version"
    UOTP_REQUIRE_ALL=1 UOTP_ORIGINAL=$work/original/bin \
        "$work/venv-$version/bin/python" -m twisted.trial "${modules[@]}"
}

# The wheel, made from the source distribution, and everything that can be wrong with it.
checkPackages() {
    local python wheel sdist
    freshClone package
    cd "$work/package"
    newVenv build-venv "$MAIN_VERSION"
    "$work/build-venv/bin/pip" install --quiet build setuptools incremental
    "$work/build-venv/bin/python" -m build --outdir "$work/dist" .
    wheel=$(echo "$work"/dist/txuotp-*.whl)
    sdist=$(echo "$work"/dist/txuotp-*.tar.gz)
    "$work/build-venv/bin/python" -m zipfile --list "$wheel" >"$work/wheel-files"
    grep -q '^uotp/py.typed ' "$work/wheel-files"
    grep -q '^twisted/plugins/uotp_plugin.py ' "$work/wheel-files"
    if grep -E '^(twisted/(plugins/)?__init__|tests/|bench/|.*dropin.cache)' "$work/wheel-files"; then
        echo "the wheel has what it must not have"
        return 1
    fi

    # An egg-style install records all of Twisted as ours.
    if "$work/build-venv/bin/python" setup.py install >"$work/refusal" 2>&1; then
        echo "setup.py install is not refused"
        return 1
    fi
    grep 'would damage Twisted' "$work/refusal"

    newVenv wheel-venv "$MAIN_VERSION"
    "$work/wheel-venv/bin/pip" install --quiet "${wheel}[test]"
    mkdir "$work/elsewhere"
    cp -R "$work/package/tests" "$work/package/bench" "$work/elsewhere/" # some tests are of the measurements
    cd "$work/elsewhere"
    listsBothPlugins wheel-venv
    for program in uotp uotp-client uotp-server; do
        "$work/wheel-venv/bin/$program" --version
    done
    python=$work/wheel-venv/bin/python
    "$python" -c 'import uotp; assert "site-packages" in uotp.__file__; assert uotp.__version__ != "0.0.0"'
    "$python" "$work/package/.ci/fast_suite.py"
    "$work/wheel-venv/bin/pip" uninstall --quiet --yes txuotp
    "$python" -c 'import twisted.internet.reactor'

    newVenv sdist-venv "$MAIN_VERSION"
    "$work/sdist-venv/bin/pip" install --quiet "$sdist"
    listsBothPlugins sdist-venv
}

# With everything installed nothing is left out.
noneSkipped() {
    if grep -lE '^PASSED \(.*skips=' "$work"/{fast,integration,command-2}*.log; then
        grep -hA3 -E '^\[SKIPPED\]' "$work"/{fast,integration,command-2}*.log
        return 1
    fi
}
