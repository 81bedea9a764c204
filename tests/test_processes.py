"""Children are kept alive while their command lives, and not a moment longer."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.core.config import Settings
from app.core.queues import ALL, PLATFORMS
from app.processes import ROOT, Processes, commands

_NAP = [sys.executable, "-c", "import time; time.sleep(300)"]
_DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(300)",
]
# Starts a child of its own, as a web server starts its workers, and writes its id.
_FAMILY = [
    sys.executable,
    "-c",
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
    "print('grandchild', child.pid, flush=True)\n"
    "time.sleep(300)",
]
# A command with two children; it says which, and waits to be ended.
_PARENT = """
import json, signal, sys, threading, time
from pathlib import Path
from app.processes import Processes
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
processes = Processes({"one": json.loads(sys.argv[2]), "two": json.loads(sys.argv[2])}, {}, Path(sys.argv[1]))
while len(processes.pids()) < 2:
    time.sleep(0.01)
print(json.dumps(processes.pids()), flush=True)
ended.wait()
processes.stop()
"""


def alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for ``condition``, at most as long as a busy machine may need."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def start(log: Path) -> Iterator[Callable[..., Processes]]:
    started: list[Processes] = []

    def run(**wanted: list[str]) -> Processes:
        started.append(Processes(wanted, {"PANNIER_PLACE": "here"}, log))
        eventually(lambda: set(started[-1].pids()) == set(wanted))
        return started[-1]

    yield run
    for processes in started:
        processes.stop()


@pytest.fixture
def parent(log: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A command of its own process with two children."""
    command = [sys.executable, "-c", _PARENT, str(log), json.dumps(_NAP)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    children = list(json.loads(process.stdout.readline()).values())
    yield process, children
    process.kill()
    process.wait()
    process.stdout.close()
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_a_killed_child_is_started_again(start: Callable[..., Processes]) -> None:
    processes = start(nap=_NAP)
    first = processes.pids()["nap"]

    os.kill(first, signal.SIGKILL)

    eventually(lambda: processes.pids().get("nap", first) != first)
    assert alive(processes.pids()["nap"])
    assert not alive(first)


def test_a_child_that_ends_by_itself_is_started_again(start: Callable[..., Processes], log: Path) -> None:
    processes = start(short=[sys.executable, "-c", "print('hello', flush=True)"])

    eventually(lambda: log.read_text().count("hello") >= 2)

    assert set(processes.pids()) <= {"short"}


def test_children_get_the_environment_and_a_session_of_their_own(
    start: Callable[..., Processes], log: Path
) -> None:
    tell = "print(os.environ['PANNIER_PLACE'], os.getsid(0) == os.getpid(), flush=True)"

    start(tell=[sys.executable, "-c", f"import os, time; {tell}; time.sleep(300)"])

    eventually(lambda: log.read_text() == "here True\n")


def test_all_are_gone_after_stop(start: Callable[..., Processes]) -> None:
    processes = start(one=_NAP, two=_NAP)
    pids = list(processes.pids().values())

    processes.stop()

    assert [pid for pid in pids if alive(pid)] == []
    assert processes.pids() == {}


def test_a_child_that_does_not_hear_is_killed(
    start: Callable[..., Processes], log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.processes._STOP_S", 0.1)
    processes = start(deaf=_DEAF)
    eventually(lambda: log.read_text() == "deaf\n")
    pid = processes.pids()["deaf"]

    processes.stop()

    assert not alive(pid)


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_grandchildren_go_with_their_child(start: Callable[..., Processes], log: Path, how: str) -> None:
    processes = start(family=_FAMILY)
    eventually(lambda: log.read_text().startswith("grandchild"))
    grandchild = int(log.read_text().split()[1])

    if how == "killed":
        os.kill(processes.pids()["family"], signal.SIGKILL)
    else:
        processes.stop()

    eventually(lambda: not alive(grandchild))


def test_all_are_gone_after_the_command_was_stopped(
    parent: tuple[subprocess.Popen[str], list[int]],
) -> None:
    command, children = parent

    command.terminate()

    assert command.wait(timeout=60) == 0
    assert [pid for pid in children if alive(pid)] == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent is gone")
def test_all_are_gone_after_the_command_was_killed(
    parent: tuple[subprocess.Popen[str], list[int]],
) -> None:
    command, children = parent
    assert all(alive(pid) for pid in children)

    command.kill()
    command.wait()

    eventually(lambda: not any(alive(pid) for pid in children))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent is gone")
def test_a_worker_takes_its_job_along() -> None:
    """The worker forks for each job; the fork must end when the worker is killed."""
    script = (
        "import os, signal, time\n"
        "from app.core.orphans import end_with_parent\n"
        "os.register_at_fork(after_in_child=end_with_parent)\n"
        "if os.fork() == 0:\n"
        "    print(os.getpid(), flush=True)\n"
        "time.sleep(300)\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    with worker.stdout:
        job = int(worker.stdout.readline())
    assert alive(job)

    worker.kill()
    worker.wait()

    eventually(lambda: not alive(job))


def test_the_command_lines_follow_the_settings(settings: Settings) -> None:
    found = commands(settings)

    workers = [f"worker-{n + 1}" for n in range(settings.worker_processes)]
    assert list(found) == ["web", *workers, "platforms", "clock"]
    # Long work never stands before short work, and every queue has a worker.
    listened = {name: set(command[3:]) for name, command in found.items() if command[2] == "app.worker"}
    assert {name: queues & {PLATFORMS} for name, queues in listened.items()} == {
        **{name: set() for name in workers},
        "platforms": {PLATFORMS},
    }
    assert set().union(*listened.values()) == set(ALL)
    web = " ".join(found["web"])
    assert f"--host {settings.host} --port {settings.port}" in web
    assert f"--workers {settings.web_processes} --blocking-threads {settings.web_threads}" in web
    assert found["clock"] == [sys.executable, "-m", "app.schedule"]


def test_the_web_server_takes_the_command_line(settings: Settings) -> None:
    """Options that this version of the server does not know would end it at once."""
    web = commands(settings)["web"]
    known = subprocess.run([*web[:3], "--help"], capture_output=True, text=True, check=True).stdout

    assert [option for option in web if option.startswith("--") and option not in known] == []
