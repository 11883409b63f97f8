"""What a cue's template may speak of: the arguments, the slots in words, and which row of evidence each name means."""

from agents.local.sheets import Sheets
from agents.local.standing import SAID, Standing
from agents.tasks import Cue, ToolProposal, WorkflowTask
from policies.words import Json


def worded(task: WorkflowTask, sheets: Sheets, standing: Standing, cue: Cue, call: ToolProposal | None = None) -> Cue:
    """The cue with its values and evidence filled in; values that it has already stay."""
    values = values_for(standing, sheets, call) | cue.values
    rows = {name: standing.row(name) for name in {row.name for row in task.known if row.kind not in SAID}}
    pinned = {name: row.id for name, row in sorted(rows.items()) if row is not None}
    return cue.model_copy(update={"values": values, "evidence": pinned})


def values_for(standing: Standing, sheets: Sheets, call: ToolProposal | None) -> dict[str, Json]:
    """Slots by name, lists of records as their labels; of a call its arguments, and its money as one "amount".

    What was chosen from records stands also under "<slot>_words", as the customer saw it.
    """
    values: dict[str, Json] = {}
    if call is not None:
        values |= call.arguments
        card = sheets.tools.get(call.tool)
        amount = call.arguments.get(card.amount_argument) if card and card.amount_argument else None
        if card is not None and isinstance(amount, int):
            currency = call.arguments.get(card.currency_argument) if card.currency_argument else ""
            values["amount"] = {"amount_minor": amount, "currency": currency or ""}
    for need in standing.journey.needs:
        filled = standing.slot(need.slot)
        if filled is not None:
            values[need.slot] = filled.label if isinstance(filled.value, list) or need.options else filled.value
            if need.choose is not None:
                values[f"{need.slot}_words"] = filled.label
    return values
