"""Shards made by Ray, on the machines of a cluster or on this one.

A task makes one shard, whole: it reads the files, writes the shard into the dataset's folder, and gives back its records.
What a shard holds follows from its number, so a task whose machine is lost is run again on another, with the same bytes.
The driver alone writes records and manifest, as it does for threads.

    keep twice as many tasks under way as the cluster has processors
    a task says to the board how far it is; the driver looks there while it waits
    a task is done: its shard is whole on the disk; yield its records
"""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from offgraph.core.errors import BuildError, MachineError, OffgraphError
from offgraph.dataset.engines import Tell, Threads, WrittenShard
from offgraph.dataset.formats import FORMATS, DatasetFormat
from offgraph.dataset.job import Job
from offgraph.dataset.maker import Address, Maker
from offgraph.dataset.output import OutputFolder
from offgraph.dataset.records import JOB_FILE

__all__ = ["OnRay"]

_TRIES = 4
"""How often a shard is begun: a file that ends its worker's process would end every other, too."""
_PAUSE = 0.3
"""Seconds between looks at the board, and between words of a task to it."""


@dataclass(frozen=True)
class OnRay:
    """Makes shards in tasks of Ray.

    Parameters
    ----------
    threads : int
        Of each task; it takes as many processors.
    address : str, optional
        Of a cluster, as `ray.init` takes it. Left out: that of ``RAY_ADDRESS``; without it, Ray is started on this
        machine for the time of the build. A session that the program has begun is used as it is.
    """

    threads: int
    address: str | None = None

    def made(
        self, maker: Maker, writer: DatasetFormat, todo: Mapping[int, Sequence[Address]], tell: Tell
    ) -> Generator[WrittenShard, None, None]:
        """Make shards, in the order in which they are done."""
        if not todo:
            return
        with _session(self.address) as ray:
            yield from self._made(ray, maker, writer, todo, tell)

    def _made(
        self,
        ray: Any,
        maker: Maker,
        writer: DatasetFormat,
        todo: Mapping[int, Sequence[Address]],
        tell: Tell,
    ) -> Generator[WrittenShard, None, None]:
        out = writer.folder.path.absolute()
        described = writer.folder.read(JOB_FILE) or b""
        given = [ray.put(_Given(maker, writer.job, described, out, Path.cwd(), self.threads))]
        board = _board(ray)
        task = ray.remote(
            num_cpus=self.threads,
            max_retries=_TRIES - 1,
            retry_exceptions=False,
            scheduling_strategy="SPREAD",
        )(_make_shard)
        waiting, running = iter(todo.items()), dict[Any, int]()
        most = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)) // self.threads)
        try:
            while True:
                for shard, addresses in itertools.islice(waiting, most - len(running)):
                    running[task.remote(given, board, shard, addresses)] = shard
                if not running:
                    return
                done, _ = ray.wait(list(running), timeout=_PAUSE)
                for shard, good, bad in _read_board(ray, board):
                    tell(shard, good, bad)
                for reference in done:
                    yield _taken(ray, reference, running[reference], tell)
                    del running[reference]
        finally:
            for reference in running:
                with suppress(Exception):
                    ray.cancel(reference, force=True)
            if running:  # none goes on writing after this
                ray.wait(list(running), num_returns=len(running), timeout=10)
            ray.kill(board)


class _Given(NamedTuple):
    """What all tasks of a build are given."""

    maker: Maker
    job: Job
    described: bytes
    out: Path
    working_directory: Path
    threads: int


class _Refused(NamedTuple):
    """An error of this package that ended a task; sent as words, since not every exception can be."""

    kind: str
    text: str
    errno: int | None


_known: dict[Any, _Given] = {}
"""What this process was given last: it serves many tasks of one build."""


def _make_shard(
    given: list[Any], board: Any, shard: int, addresses: Sequence[Address]
) -> WrittenShard | _Refused:
    """Make one shard; this runs in a worker of Ray."""
    import ray

    (reference,) = given
    if reference not in _known:
        _known.clear()
        _known[reference] = ray.get(reference)
    maker, job, described, out, working_directory, threads = _known[reference]
    said = 0.0

    def tell(number: int, good: int, bad: Sequence[dict[str, Any]]) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said > _PAUSE:
            said = now
            board.note.remote(number, good, list(bad))

    try:
        _enter(working_directory, out, described)
        folder = OutputFolder(out)
        writer = FORMATS[job.options["format"]](folder, job)
        with closing(Threads(threads).made(maker, writer, {shard: addresses}, tell)) as made:
            written = next(made)
        folder.settle()
        return written
    except OffgraphError as error:
        number = error.errno if isinstance(error, MachineError) else None
        return _Refused(type(error).__name__, str(error), number)
    finally:
        maker.ended.clear()  # set where the threads end


def _enter(working_directory: Path, out: Path, described: bytes) -> None:
    """Go to where the program runs, and see that the folders are the same ones here."""
    with suppress(OSError):  # needed for names of files that are relative alone
        os.chdir(working_directory)
    if OutputFolder(out).read(JOB_FILE) != described:
        raise BuildError(
            f"{out}: the machine {socket.gethostname()} does not see this folder as the program does: with engine='ray' "
            "the images and the dataset have to lie on a file system that all machines share, under the same names"
        )


def _taken(ray: Any, reference: Any, shard: int, tell: Tell) -> WrittenShard:
    """Return what a task gave, or raise why there is nothing."""
    lost = (ray.exceptions.WorkerCrashedError, ray.exceptions.RaySystemError, ray.exceptions.ObjectLostError)
    lost = (*lost, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError)
    try:
        made = ray.get(reference)
    except lost as error:
        raise BuildError(
            f"shard {shard}: its worker was lost {_TRIES} times ({str(error).splitlines()[0]:.200}); look at the memory of "
            "the machines, or choose a smaller shard_size; the same build continues where it stopped"
        ) from error
    except ray.exceptions.RayTaskError as error:
        raise (error.cause if isinstance(error.cause, Exception) else error) from error
    if isinstance(made, _Refused):
        if made.kind == MachineError.__name__:
            number = made.errno or 0
            raise MachineError(made.text, OSError(number, os.strerror(number)))
        raise BuildError(made.text)
    tell(shard, len(made.lines), made.bad)
    return made


# ---- the board


class _Board:
    """How far each shard is, said by its task; an actor of Ray."""

    def __init__(self) -> None:
        self.notes: dict[int, tuple[int, list[dict[str, Any]]]] = {}

    def note(self, shard: int, good: int, bad: list[dict[str, Any]]) -> None:
        self.notes[shard] = good, bad

    def take(self) -> dict[int, tuple[int, list[dict[str, Any]]]]:
        notes, self.notes = self.notes, {}
        return notes


def _board(ray: Any) -> Any:
    """Start the board beside the driver: it is lost with no other machine."""
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=True
    )
    return ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=strategy)(_Board).remote()


def _read_board(ray: Any, board: Any) -> Iterator[tuple[int, int, list[dict[str, Any]]]]:
    try:
        notes = ray.get(board.take.remote(), timeout=5)
    except (ray.exceptions.RayActorError, ray.exceptions.GetTimeoutError):
        return  # it only tells how far the build is
    for shard, (good, bad) in notes.items():
        yield shard, good, bad


# ---- the session


@contextmanager
def _session(address: str | None) -> Iterator[Any]:
    """Connect to Ray, or start it, for the time of a build; where the program is connected already, it stays so."""
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    alone: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error", **alone)
    except (OSError, ValueError, RuntimeError) as error:  # ConnectionError is an OSError
        raise BuildError(
            f"address={address!r:.100}: Ray cannot be reached ({str(error).splitlines()[0]:.200}); give the address of a "
            "running cluster, such as '10.0.0.1:6379', or none to use this machine"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def import_ray() -> Any:
    """Import Ray without its reports of use, or say how to get it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.exceptions
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise BuildError(
            "engine='ray' needs Ray, which is not installed; run: pip install 'offgraph[ray]', or leave engine out"
        ) from error
    return ray
