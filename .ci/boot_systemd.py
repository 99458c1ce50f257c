"""
Boots systemd as process 1 of namespaces of its own, and runs both ends there by the units that C{uotp
systemd} prints: what no test in memory can tell is what systemd makes of them.  It needs root, systemd and
a hierarchy of cgroup 2, changes nothing on the machine, and takes about a minute::

    python .ci/boot_systemd.py DIRECTORY-OF-PROGRAMS
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

BOOT_SECONDS = 240
"""It is over by then, also on a slow machine: half a minute of it is the wait for the watchdog."""

WELL = "all is well"
"""What the trial says at its end."""

INIT = """\
set -e
mount --make-rprivate /
mount -t proc proc /proc
for directory in /run /tmp /var/log /var/tmp /var/lib; do mount -t tmpfs tmpfs $directory; done
mkdir /tmp/etc
cp -a /etc/. /tmp/etc/ 2>/tmp/copied || true
mount --bind /tmp/etc /etc
umount -R /sys/fs/cgroup 2>/tmp/unmounted || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --bind "$RESULT" "$RESULT"
mount -o remount,bind,ro /
ip link set lo up
rm -rf /etc/systemd/system /etc/uotp
mkdir -p /etc/systemd/system /etc/uotp
for end in server client; do
    "$UOTP" systemd $end --prefix "$PREFIX" >/etc/systemd/system/uotp-$end@.service
    "$UOTP" systemd $end --socket >/etc/systemd/system/uotp-$end@.socket
    mkdir /etc/systemd/system/uotp-$end@.service.d
    # The programs may be in a home directory here, which nobody else may see.
    printf '[Service]\\nUser=root\\nGroup=root\\nProtectHome=no\\n' >/etc/systemd/system/uotp-$end@.service.d/here.conf
done
cat >/etc/uotp/server.toml <<TOML
target = "127.0.0.1:51820"
no-tls = true
bind-port = 18443
TOML
printf 'target = "127.0.0.1:51820"\\nno-tls = true\\n' >/etc/uotp/socket.toml
printf 'server = "127.0.0.1:18443"\\nno-tls = true\\nbind-port = 18911\\nworkers = 2\\n' >/etc/uotp/client.toml
cat >/etc/systemd/system/trial.service <<UNIT
[Unit]
DefaultDependencies=no
After=systemd-journald.socket
[Service]
Type=oneshot
ExecStart=/bin/bash -e $RESULT/trial.sh
StandardOutput=file:$RESULT/output
StandardError=inherit
TimeoutStartSec=220
ExecStopPost=/bin/systemctl --no-block poweroff --force --force
UNIT
printf '[Unit]\\nDefaultDependencies=no\\nWants=trial.service systemd-journald.service\\nAfter=trial.service\\n' \\
    >/etc/systemd/system/trial.target
for unit in tmpfiles-setup tmpfiles-setup-dev tmpfiles-clean udevd networkd resolved timesyncd logind update-utmp; do
    ln -s /dev/null /etc/systemd/system/systemd-$unit.service
done
export container=lxc
exec /lib/systemd/systemd --system --unit=trial.target --log-target=null --show-status=no
"""
"""Makes a small machine of the namespaces, whose files are those of the real one, which cannot be written."""

TRIAL = """\
say() { echo "- $*"; }
is() { [ "$(systemctl show --value --property="$2" "$1")" = "$3" ] || { systemctl status --no-pager "$1"; exit 1; }; }

say "both ends start, and systemctl returns when they are ready"
systemctl start uotp-server@server uotp-client@client
is uotp-client@client ActiveState active

say "a datagram goes there and back"
python3 - <<PYTHON
import socket
target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
target.bind(("127.0.0.1", 51820))
application = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for end in (target, application):
    end.settimeout(60)
application.sendto(b"hello", ("127.0.0.1", 18911))
datagram, source = target.recvfrom(100)
target.sendto(datagram[::-1], source)
assert application.recv(100) == b"olleh"
PYTHON

say "the status tells of it"
for _ in $(seq 60); do
    systemctl status uotp-server@server | grep -q "Status: .1 session, 1 tunnel" && break
    sleep 1
done
systemctl status --no-pager uotp-server@server | grep "Status: .1 session, 1 tunnel"

say "a reload is done"
systemctl reload uotp-server@server uotp-client@client
for _ in $(seq 60); do journalctl -u 'uotp-client@*' | grep -q "reloaded" && break; sleep 1; done
journalctl -u 'uotp-client@*' | grep -q "reloaded"

say "the journal knows priorities"
journalctl -p warning -u 'uotp-server@*' | grep -q "plain TCP"
! journalctl -p warning -u 'uotp-server@*' | grep -q "reloaded"

say "a connection starts a server by its socket"
systemctl start uotp-server@socket.socket
python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8443))'
for _ in $(seq 60); do systemctl --quiet is-active uotp-server@socket && break; sleep 1; done
is uotp-server@socket ActiveState active

say "a server that hangs is started again"
systemctl kill --signal=STOP uotp-server@server
for _ in $(seq 90); do
    [ "$(systemctl show --value --property=NRestarts uotp-server@server)" = 1 ] && break
    sleep 1
done
is uotp-server@server NRestarts 1

say "a bad file ends it with status 2, and it stays so"
echo 'nonsense = 1' >>/etc/uotp/server.toml
systemctl restart uotp-server@server && exit 1
sleep 3
is uotp-server@server ActiveState failed
is uotp-server@server ExecMainStatus 2
is uotp-server@server NRestarts 0

say "a client stops in good order"
systemctl stop uotp-client@client
is uotp-client@client Result success
echo "WELL"
"""
"""What is tried there."""


def hierarchy() -> Path:
    """
    @return: where cgroup 2 is mounted.
    @raise SystemExit: when it is nowhere.
    """
    for line in Path("/proc/mounts").read_text("utf-8").splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    reason = "no hierarchy of cgroup 2 is mounted here"
    raise SystemExit(reason)


def main(programs: Path) -> int:
    """
    @param programs: the directory of our programs.
    @return: the exit status.
    """
    if os.geteuid():
        reason = "only root can boot systemd"
        raise SystemExit(reason)
    group = hierarchy() / f"uotp-boot-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="uotp-boot-", dir="/var") as folder:
        work = Path(folder)
        (work / "init.sh").write_text(INIT, "utf-8")
        (work / "trial.sh").write_text(TRIAL.replace('"WELL"', f'"{WELL}"'), "utf-8")
        group.mkdir()
        namespaces = "--pid --mount --cgroup --net --uts --ipc --fork --kill-child"
        enter = (
            f"echo $$ >{shlex.quote(str(group / 'cgroup.procs'))} && exec unshare {namespaces} bash {work / 'init.sh'}"
        )
        variables = {"UOTP": str(programs / "uotp"), "PREFIX": str(programs.parent), "RESULT": folder}
        try:
            subprocess.run(["bash", "-c", enter], env={**os.environ, **variables}, timeout=BOOT_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            print(f"it was not done in {BOOT_SECONDS} s")
        finally:
            for left in sorted(group.rglob("*"), reverse=True):
                if left.is_dir():
                    left.rmdir()
            group.rmdir()
        output = work / "output"
        told = output.read_text("utf-8") if output.exists() else "systemd did not boot\n"
    print(told, end="")
    return 0 if told.splitlines()[-1:] == [WELL] else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
