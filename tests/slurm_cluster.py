"""A real Slurm on this machine's loopback: munged, slurmctld and two slurmd nodes, in a temporary
folder, for as long as the tests run.

From Debian's slurm-wlm and munge (22.05).  No accounting and no cgroups; nodes have eight cores
whatever the machine has, and pretend to have two GPUs each.  QUENCH_REQUIRE_SLURM=1 makes a missing
package a failure where it is a skip otherwise.
"""

import contextlib
import getpass
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NODES = ("n1", "n2")
SITES = ("standard", "small", "serial", "gpusmall", "cpu", "gpu")  # partitions of slurm/sites/
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
PLACES = os.environ["PATH"] + os.pathsep + "/usr/sbin"  # which an ordinary user's PATH leaves out

CONFIG = """
ClusterName=quench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CryptoType=crypto/munge
# a requeued job waits as long as its credential lives
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1,defer_batch
ReturnToService=2
SlurmdTimeout=10
KillWait=5
MinJobAge=3600
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
GresTypes=gpu
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}] CPUs=8 RealMemory=32000 Gres=gpu:2
PartitionName=batch Nodes=n[1-2] Default=YES MaxTime=INFINITE PriorityTier=1 PreemptMode=REQUEUE GraceTime=30
NodeName=wide NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[3]} CPUs=256 RealMemory=500000 Feature=cpu,gpu Gres=gpu:a100:4
PartitionName=urgent Nodes=n[1-2] MaxTime=INFINITE PriorityTier=9 PreemptMode=OFF
"""


class Cluster:
    """The daemons, and what a user types at them."""

    def __init__(self, folder: Path):
        self.folder, self.daemons = folder, {}
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SLURM", "SBATCH", "QUENCH_TASK"))
        }
        self.environment |= {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": PLACES,
            "PYTHON": sys.executable,
            "OMP_NUM_THREADS": "1",
        }
        (folder / "state").mkdir()
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o600)
        text = CONFIG.format(
            folder=folder,
            host=platform.node().split(".")[0],
            user=getpass.getuser(),
            ports=free_ports(),
        )
        text += "".join(f"PartitionName={name} Nodes=wide MaxTime=72:00:00\n" for name in SITES)
        (folder / "slurm.conf").write_text(text)
        (folder / "gres.conf").write_text(
            f"NodeName=n[1-2] Name=gpu File={folder}/gpu[0-1]\n"
            f"NodeName=wide Name=gpu Type=a100 File={folder}/gpu[0-3]\n"
        )  # they are counted and handed out, never opened
        for number in range(4):
            (folder / f"gpu{number}").touch()

    def start(self) -> None:
        names = ("socket", "key-file", "pid-file", "log-file", "seed-file")
        files = [f"--{name}={self.folder}/munge.{name.split('-')[0]}" for name in names]
        self.run("munged", "--force", "--foreground", *files, wait=False)
        self.until(lambda: (self.folder / "munge.socket").exists(), 20)
        self.run("slurmctld", "-D", "-i", wait=False)
        for node in (*NODES, "wide"):
            self.start_node(node)
        self.until(lambda: self.states() == dict.fromkeys(NODES, "idle"), 60)

    def start_node(self, node: str) -> None:
        self.run("slurmd", "-D", "-N", node, wait=False, name=node)

    def kill_node(self, node: str) -> None:
        """As when a machine loses power: slurmd, the jobs and their shepherds are gone at once,
        nobody says goodbye.
        """
        jobs = {
            int(path.name) for path in Path("/proc").glob("[0-9]*") if self._runs_on(path, node)
        }
        shepherds = {
            parent
            for pid in jobs
            if "slurmstepd" in _read(f"/proc/{(parent := _parent(pid))}/cmdline")
        }
        for pid in (self.daemons[node].pid, *shepherds, *jobs):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.daemons.pop(node).wait()

    def _runs_on(self, process: Path, node: str) -> bool:
        variables = _read(process / "environ").split("\0")
        return (
            f"SLURM_CONF={self.folder}/slurm.conf" in variables
            and f"SLURMD_NODENAME={node}" in variables
        )

    def run(
        self, program: str, *words, wait: bool = True, name: str = "", check: bool = True
    ) -> str:
        """A program's output; wait=False: a daemon, until `stop`."""
        command = [shutil.which(program, path=PLACES) or program, *map(str, words)]
        if not wait:
            log = (self.folder / f"{name or program}.out").open("w")
            self.daemons[name or program] = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
            return ""
        done = subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        assert not check or done.returncode == 0, (
            f"{' '.join(command)}: {done.stderr or done.stdout}"
        )
        return (done.stdout + done.stderr).strip()

    def states(self) -> dict[str, str]:
        """{node: idle, alloc, down* ...}"""
        lines = self.run(
            "sinfo", "-h", "-N", "-p", "batch", "-o", "%N %t", check=False
        ).splitlines()
        return dict(line.split() for line in lines if len(line.split()) == 2)

    def submit(self, template: str, *words, options: tuple = (), **environment) -> str:
        """sbatch slurm/TEMPLATE.sh; the job's id."""
        return self.shell(
            "sbatch",
            "--parsable",
            *options,
            ROOT / "slurm" / f"{template}.sh",
            *words,
            **environment,
        ).strip()

    def shell(self, *command, check: bool = True, **environment) -> str:
        """A command of a user with these variables more."""
        done = subprocess.run(
            [str(word) for word in command],
            env={**self.environment, **environment},
            cwd=ROOT,
            text=True,
            capture_output=True,
            timeout=120,
        )
        assert not check or done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout if check else done.stdout + done.stderr

    def jobs(self, job: str = "") -> dict[str, dict[str, str]]:
        """{id of a job or array task: what scontrol says of it}."""
        blocks = re.split(
            r"\n\s*\n", self.run("scontrol", "show", "job", *[job] * bool(job), check=False)
        )
        found = [dict(re.findall(r"(\w+)=(\S*)", block)) for block in blocks if "JobId=" in block]
        return {each["JobId"]: each for each in found}

    def state(self, job: str) -> set[str]:
        """The states of a job's tasks."""
        return {each["JobState"] for each in self.jobs(job).values()}

    def ended(self, *jobs: str, seconds: float = 240) -> list[set[str]]:
        """The states of jobs, all of which have come to an end."""
        alive = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "REQUEUED", "SUSPENDED"}
        self.until(lambda: not any(self.state(job) & alive for job in jobs), seconds)
        return [self.state(job) for job in jobs]

    def until(self, condition: Callable[[], object], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"after {seconds} s: nodes {self.states()}\n{self.run('squeue', check=False)}\n{self.tail()}"
                )
            time.sleep(0.2)

    def tail(self) -> str:
        """The ends of the daemons' logs."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}"
            for path in sorted(self.folder.glob("*.log"))
        )

    def stop(self) -> None:
        with contextlib.suppress(Exception):
            self.run("scancel", "--signal=KILL", "--full", "-u", getpass.getuser(), check=False)
            self.run("scancel", "-u", getpass.getuser(), check=False)
            self.until(lambda: not self.run("squeue", "-h", check=False), 15)
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
        for daemon in self.daemons.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(10)
            daemon.kill()


def _read(path: Path | str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _parent(pid: int) -> int:
    found = re.search(r"PPid:\s*(\d+)", _read(f"/proc/{pid}/status"))
    return int(found[1]) if found else 0


def free_ports() -> list[int]:
    """One port, and three that follow one another."""
    while True:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            return [
                first,
                *[
                    stack.enter_context(
                        socket.create_server(("127.0.0.1", first + i))
                    ).getsockname()[1]
                    for i in (1, 2, 3)
                ],
            ]


def problem() -> str | None:
    """Why no cluster can be started here, in a line."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=PLACES) is None]
    return f"no {', '.join(missing)} (apt-get install slurm-wlm munge)" if missing else None


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster, up and idle."""
    reason = problem()
    if reason and os.environ.get("QUENCH_REQUIRE_SLURM") == "1":
        pytest.fail(f"QUENCH_REQUIRE_SLURM=1, but {reason}")
    if reason:
        pytest.skip(reason)
    folder = Path(
        tempfile.mkdtemp(prefix="quench-slurm-", dir="/tmp")
    )  # short: a socket's path has 108 characters at most
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
