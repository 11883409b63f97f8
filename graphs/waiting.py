"""Checkpoints only of turns that wait: a turn that ends in one go has nothing that rows don't say better."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)

INTERRUPT = "__interrupt__"
IS_NEW = "is_new"
"""In a run's `configurable`: that its thread has no checkpoint."""

_Held = tuple[RunnableConfig, Checkpoint, CheckpointMetadata, ChannelVersions]


class WaitingOnly(BaseCheckpointSaver[str]):
    """Keeps what the saver behind it would keep, of threads that were interrupted; the others leave nothing to delete.

    For `durability="exit"`: a run's checkpoint comes at its end, and what it waits for right after it.
    """

    def __init__(self, saver: BaseCheckpointSaver[str]) -> None:
        super().__init__(serde=saver.serde)
        self._saver = saver
        self._held: dict[str, _Held] = {}
        self._waiting: set[str] = set()
        self._absent: set[str] = set()
        """Threads of which the saver behind has nothing."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """A waiting thread's checkpoint; None for any other."""
        # Whoever begins a thread knows that there is nothing to look for.
        found = None if config["configurable"].get(IS_NEW) else await self._saver.aget_tuple(config)
        if found is None:
            self._absent.add(_thread(config))
        else:
            # Stored by another process, which took over a thread that was begun here.
            self._absent.discard(_thread(config))
        return found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Hold the checkpoint until it is known whether the thread waits."""
        thread = _thread(config)
        if thread in self._waiting:
            return await self._saver.aput(config, checkpoint, metadata, new_versions)
        self._held[thread] = (config, checkpoint, metadata, new_versions)
        configurable = config["configurable"]
        return {
            "configurable": {
                "thread_id": thread,
                "checkpoint_ns": configurable.get("checkpoint_ns", ""),
                "checkpoint_id": checkpoint["id"],
            }
        }

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store what an interrupted thread waits for, and its checkpoint before it."""
        thread = _thread(config)
        if not any(channel == INTERRUPT for channel, _ in writes) and thread not in self._waiting:
            return
        self._waiting.add(thread)
        self._absent.discard(thread)
        held = self._held.pop(thread, None)
        if held is not None:
            await self._saver.aput(*held)
        await self._saver.aput_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """Forget a thread."""
        self._held.pop(thread_id, None)
        if thread_id in self._absent:
            self._absent.discard(thread_id)
            return
        self._waiting.discard(thread_id)
        await self._saver.adelete_thread(thread_id)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # its name in the base class
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """What the saver behind has."""
        async for each in self._saver.alist(config, filter=filter, before=before, limit=limit):
            yield each

    def get_next_version(self, current: str | None, channel: None) -> str:
        """As the saver behind counts."""
        return self._saver.get_next_version(current, channel)


def _thread(config: RunnableConfig) -> str:
    return str(config["configurable"]["thread_id"])
