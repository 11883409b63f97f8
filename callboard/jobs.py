"""Lanes over Postgres: Procrastinate wakes one worker for a conversation that has work, and the clock's work too.

A job only says that a conversation has work; the inbox says which, and is looked through for work that no job speaks
of. A conversation's job holds its lock. Jobs of workers that are gone are taken away and made anew, never given back:
a worker that was only paused finds its own job gone, and can't free the lock under the run that came after it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any

import procrastinate
from procrastinate import PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.worker import Worker

from callboard.database import Pool
from graphs.lanes import RunNext
from policies.words import ConversationId

logger = logging.getLogger("callboard.jobs")

TURNS, CLOCK = "turns", "clock"
"""The two kinds of jobs; also their queues."""
POLL_S = 0.5
"""How often a worker looks for jobs that nothing told it of: their lock was freed elsewhere, or their time came."""
SETTLE_S = 0.02

FindWork = Callable[[], Awaitable[Collection[ConversationId]]]
"""The conversations that have something in the inbox."""
Tick = Callable[[], Awaitable[None]]
"""What time alone brings about."""


class JobLanes:
    """A process's way to the queue: it wakes conversations, and if told to, works."""

    def __init__(
        self, run_next: RunNext, app: procrastinate.App, has_work: Callable[[ConversationId], Awaitable[bool]]
    ) -> None:
        """Bind the lanes.

        Args:
            run_next: Runs the next item of a conversation.
            app: The queue; open, and stays the caller's.
            has_work: Whether a conversation has something in the inbox.
        """
        self._run_next = run_next
        self._app = app
        self._has_work = has_work
        self._waking: dict[ConversationId, set[asyncio.Task[None]]] = {}
        self._working: _Working | None = None

    def wake(self, conversation_id: ConversationId) -> None:
        """Put a job into the queue. Should that fail, the next look through the inbox makes up for it."""
        task = asyncio.create_task(self._wake(conversation_id), name=f"wake {conversation_id}")
        tasks = self._waking.setdefault(conversation_id, set())
        tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            if not tasks and self._waking.get(conversation_id) is tasks:
                del self._waking[conversation_id]

        task.add_done_callback(done)

    async def settle(self, conversation_id: ConversationId) -> None:
        """Wait until nothing is left in the inbox of the conversation, and no job has it in hand."""
        await self._woken(conversation_id)
        lock = lock_of(conversation_id)
        # Rows, not events: nothing could be waited for but the next look.
        while await _is_wanted(self._app, lock) or await self._has_work(conversation_id):  # noqa: ASYNC110
            await asyncio.sleep(SETTLE_S)

    async def work(
        self, *, concurrency: int, takeover_s: float, timer_s: float, find_work: FindWork, tick: Tick
    ) -> None:
        """Begin to work in this process.

        Args:
            concurrency: How many turns at once.
            takeover_s: After how many seconds without a sign of life a worker counts as gone.
            timer_s: How often, in seconds, the clock's work is done, by one worker of all.
            find_work: Looks through the inbox.
            tick: The clock's work.
        """
        self._working = _Working(
            self._app,
            self._run_next,
            concurrency=concurrency,
            takeover_s=takeover_s,
            timer_s=timer_s,
            find_work=find_work,
            tick=tick,
        )
        await self._working.start()

    async def close(self, *, patience_s: float) -> None:
        """Take no more jobs, and let those in hand finish, for a while; then hand them back."""
        if self._working is not None:
            await self._working.close(patience_s=patience_s)
        for conversation_id in list(self._waking):
            await self._woken(conversation_id)

    async def _wake(self, conversation_id: ConversationId) -> None:
        try:
            await defer_turns(self._app, conversation_id)
        except ConnectorException as error:
            logger.warning("conversation %s was not queued now (%s)", conversation_id, type(error).__name__)

    async def _woken(self, conversation_id: ConversationId) -> None:
        if tasks := self._waking.get(conversation_id):
            await asyncio.wait(tasks)


class _Working:
    """A worker of Procrastinate, kept alive, and what it can't do itself: find jobs and work that were left behind."""

    def __init__(
        self,
        app: procrastinate.App,
        run_next: RunNext,
        *,
        concurrency: int,
        takeover_s: float,
        timer_s: float,
        find_work: FindWork,
        tick: Tick,
    ) -> None:
        self._app, self._run_next = app, run_next
        self._concurrency, self._takeover_s, self._timer_s = concurrency, takeover_s, timer_s
        self._find_work, self._tick = find_work, tick
        self._worker: Worker | None = None
        self._closing = False
        self._patience_s = 0.0
        self._in_hand: set[int] = set()
        """Ids of jobs that run here."""
        self._suspects: set[int] = set()
        """Ids of jobs that are ours by the queue and didn't run here when last looked at."""
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._app.tasks.clear()
        self._app.task(name=TURNS, queue=TURNS, pass_context=True)(self._run_turns)
        self._app.task(name=CLOCK, queue=CLOCK, pass_context=True)(self._run_clock)
        await self._defer_clock(0.0)
        self._tasks = [
            asyncio.create_task(self._keep_working(), name="worker"),
            asyncio.create_task(self._keep_looking(), name="left-over work"),
        ]

    async def close(self, *, patience_s: float) -> None:
        self._closing = True
        working, looking = self._tasks
        if self._worker is not None:
            self._worker.shutdown_graceful_timeout = patience_s
            self._worker.stop()  # type: ignore[no-untyped-call]  # its signature has no types
        await asyncio.wait([working], timeout=patience_s + 5.0)
        working.cancel()
        looking.cancel()
        await asyncio.gather(working, looking, return_exceptions=True)

    async def _keep_working(self) -> None:
        """A worker ends when one of its connections breaks; then another takes its place."""
        while not self._closing:
            self._worker = Worker(
                self._app,
                queues=[TURNS, CLOCK],
                concurrency=self._concurrency,
                fetch_job_polling_interval=POLL_S,
                shutdown_graceful_timeout=10.0,
                delete_jobs="always",
                install_signal_handlers=False,
                update_heartbeat_interval=self._takeover_s / 5,
                stalled_worker_timeout=max(60.0, self._takeover_s * 10),
            )
            try:
                await self._worker.run()  # type: ignore[no-untyped-call]  # likewise
            except Exception as error:
                logger.warning("the worker broke off (%s) and begins again", type(error).__name__)
            if not self._closing:
                await asyncio.sleep(POLL_S)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._takeover_s / 5)
            try:
                await self._beat()
                await self._take_over()
                await self._find_forgotten()
            except Exception as error:  # The next look tries again.
                logger.warning("could not look for left-over work (%s)", type(error).__name__)

    async def _beat(self) -> None:
        """A worker that was told to stop gives no more signs of life, though it still finishes what is in hand."""
        if self._closing and self._worker is not None and self._worker.worker_id is not None:
            await self._app.job_manager.update_heartbeat(self._worker.worker_id)

    async def _take_over(self) -> None:
        """Make the jobs of workers that are gone anew."""
        manager = self._app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=self._takeover_s):
            logger.warning("job %s of a worker that is gone is taken over", job.id)
            await self._make_anew(job)
        # The end of a job may have got lost on the way to the database; then we would hold its lock for ever.
        own = self._worker.worker_id if self._worker is not None else None
        if own is None:
            return
        jobs = list(await manager.list_jobs_async(worker_id=own, status=Status.DOING.value))
        absent = {job.id for job in jobs if job.id is not None} - self._in_hand
        for job in jobs:
            if job.id in absent & self._suspects:
                await self._make_anew(job)
        self._suspects = absent

    async def _make_anew(self, job: Job) -> None:
        await self._app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
        if job.task_name == CLOCK:
            await self._defer_clock(0.0)
        else:
            await defer_turns(self._app, ConversationId(str(job.task_kwargs["conversation_id"])))

    async def _find_forgotten(self) -> None:
        """Wake what has work of which no job speaks: its process ended between the inbox and the queue."""
        found = await self._find_work()
        if not found:
            return
        rows = await self._app.connector.execute_query_all_async(
            "SELECT lock FROM procrastinate_jobs WHERE lock = ANY(%(locks)s) AND status IN ('todo', 'doing')",
            locks=[lock_of(conversation_id) for conversation_id in found],
        )
        spoken_of = {row["lock"] for row in rows}
        for conversation_id in found:
            if lock_of(conversation_id) not in spoken_of:
                await defer_turns(self._app, conversation_id)

    async def _run_turns(self, context: procrastinate.JobContext, conversation_id: str) -> None:
        """The job: run what the conversation has until there is nothing more."""
        number = context.job.id or 0
        self._in_hand.add(number)
        try:
            while await self._run_next(ConversationId(conversation_id)):
                pass
        finally:
            self._in_hand.discard(number)
            if self._closing:
                # What was handed back waits; another worker finds it at once instead of at its next look.
                with suppress(ConnectorException):
                    await asyncio.shield(defer_turns(self._app, ConversationId(conversation_id)))

    async def _run_clock(self, context: procrastinate.JobContext) -> None:
        """The job: do the clock's work, and be there again in a while."""
        number = context.job.id or 0
        self._in_hand.add(number)
        try:
            await self._tick()
        except Exception as error:  # The next time tries again.
            logger.warning("the clock's work failed (%s)", type(error).__name__)
        finally:
            self._in_hand.discard(number)
            with suppress(ConnectorException):
                await self._defer_clock(self._timer_s)

    async def _defer_clock(self, in_s: float) -> None:
        with suppress(AlreadyEnqueued):
            await self._app.configure_task(
                CLOCK,
                queue=CLOCK,
                lock=CLOCK,
                queueing_lock=CLOCK,
                schedule_in={"milliseconds": int(in_s * 1000)} if in_s else None,
            ).defer_async()


class _Jobs(JobManager):
    """Procrastinate's jobs, where one that was taken over by another worker has simply ended for us."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        try:
            await super().finish_job(job, status, delete_job)
        except ConnectorException:
            if job.id is not None and await self._is_there(job.id):
                raise
            logger.info("job %s had been taken over", job.id)

    async def _is_there(self, job_id: int) -> bool:
        return bool(list(await self.list_jobs_async(id=job_id)))


def open_app() -> procrastinate.App:
    """The queue, to be opened on a pool of connections."""
    app = procrastinate.App(connector=PsycopgConnector())
    app.job_manager = _Jobs(app.connector)
    return app


async def defer_turns(app: procrastinate.App, conversation_id: ConversationId) -> None:
    """Say that a conversation has work. Where a job says so that nobody has begun, that is enough."""
    lock = lock_of(conversation_id)
    with suppress(AlreadyEnqueued):
        await app.configure_task(TURNS, queue=TURNS, lock=lock, queueing_lock=lock).defer_async(
            conversation_id=conversation_id
        )


def lock_of(conversation_id: ConversationId) -> str:
    """What a conversation's job locks."""
    return f"conversation:{conversation_id}"


async def count_workers(pool: Pool, *, within_s: float) -> int:
    """How many workers gave a sign of life in the last seconds."""
    async with pool.connection() as connection:
        found = await connection.execute(
            "SELECT count(*) AS number FROM procrastinate_workers "
            "WHERE last_heartbeat > now() - make_interval(secs => %s)",
            (within_s,),
        )
        row = await found.fetchone()
    return int(row["number"]) if row else 0


async def _is_wanted(app: procrastinate.App, lock: str) -> bool:
    row: dict[str, Any] = await app.connector.execute_query_one_async(
        "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs "
        "WHERE lock = %(lock)s AND status IN ('todo', 'doing')) AS found",
        lock=lock,
    )
    return bool(row["found"])
