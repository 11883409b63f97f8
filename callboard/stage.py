"""The demo as it is watched in a terminal, at a pace that eyes can follow."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from callboard.api.models import ApprovalOut, DecisionOut, ReceiptOut
from callboard.demo import Audience, Scene
from callboard.terminal import EFFECT_STYLES, approval_card, handoff_card, said, silence
from graphs.results import Reviewer

PAUSE_S = 0.7
INDENT = 11
"""Where a line's words begin, after what it is about."""


class StageLight(Audience):
    """The demo as it is watched in a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def scene(self, scene: Scene) -> None:
        """A conversation begins."""
        self._console.print()
        self._console.print(Rule(f"[bold]{escape(scene.title)}[/]", align="left"))

    def customer(self, scene: Scene, text: str) -> None:
        """The customer writes."""
        self._show(said(scene.customer, text, style="white"))

    def decided(self, decision: DecisionOut) -> None:
        """Policy decided on a proposed call."""
        if decision.phase != "guard":
            return
        line = Text.assemble(
            ("   policy  ", "dim"), decision.tool, " → ", (decision.effect, EFFECT_STYLES.get(decision.effect, ""))
        )
        reasons = Text(" ".join(decision.reasons), style="dim")
        if line.cell_len + 3 + reasons.cell_len < self._console.width:
            self._console.print(Text.assemble(line, "   ", reasons))
            return
        self._console.print(line)
        self._console.print(Padding(reasons, (0, 0, 0, INDENT)))

    def reply(self, text: str, outcome: str) -> None:
        """The customer is told something, or nothing."""
        self._show(said("Callboard", text, outcome=outcome) if text else silence())

    def approval(self, approval: ApprovalOut, reviewer: Reviewer, status: str) -> None:
        """A reviewer saw this approval and answered it."""
        self._show(approval_card(approval.model_dump(mode="json"), brief=True))
        line = Text.assemble(
            (f"   {reviewer.id}", "bold"), f" ({reviewer.role}) ", ("approves", "green"), f" → {status}"
        )
        self._show(line)

    def receipt(self, receipt: ReceiptOut) -> None:
        """A call is on the ledger."""
        style = {"committed": "green", "failed": "red"}.get(receipt.state, "yellow")
        self._console.print(Text.assemble(("   receipt ", "dim"), receipt.tool, " → ", (receipt.state, style)))

    def handoff(self, bundle: Mapping[str, Any], score: float) -> None:
        """A person got the case."""
        self._show(handoff_card(bundle, score))

    def _show(self, what: RenderableType) -> None:
        self._console.print(what)
        if self._console.is_terminal:
            # So that eyes can follow; piped into a file nobody waits.
            time.sleep(PAUSE_S)
