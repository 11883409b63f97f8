"""What can go wrong in memory, as one tree.

CaseMemoryError
├── StoreError
│   ├── DataDirectoryHeld      another process works on this data directory
│   ├── StoreClosed            the store was closed
│   ├── StoreUnavailable       the database refused; nothing of this was stored
│   │   └── DatabaseUnreachable
│   ├── WriteInDoubt           the connection broke while it committed; nobody can say whether it did
│   ├── SchemaBehind           the database must be upgraded first
│   ├── SchemaAhead            the database was made by a newer Callboard
│   ├── WrongMasterKey         the data directory was made with another master key
│   └── FencedOut              the conversation's epoch moved; somebody else runs it now
├── VaultError
│   ├── KeyGone                the key was destroyed; what it sealed is forgotten
│   └── SealBroken             sealed data was changed or moved
├── RecordNotFound             no row with this id
├── MessageConflict            a message id came again with another text
├── CustomerConflict           a conversation is bound to another customer
├── EvidenceSpent              a confirmation was used before
├── ApprovalError
│   ├── ApprovalNotFound
│   ├── ApprovalClosed         it is not in a state that takes this
│   ├── ApprovalExpired
│   ├── ApprovalChanged        the reviewer saw another version
│   ├── ApprovalClaimed        somebody else is at it
│   ├── NotClaimed             the claim to renew or release is not yours
│   ├── NotAuthorised          role
│   ├── ActionNotYours         tool
│   ├── AboveLimit             amount
│   ├── OwnRequest             four eyes
│   ├── AlreadyVoted           two approvals need two people
│   ├── JustificationMissing   a reject, a response or a withdrawal for somebody needs words
│   ├── NotOfConversation      a withdrawal names another conversation, or none
│   └── ToolSwitched           an edit may not name another tool
├── ReceiptError
│   ├── AlreadyDone            this effect has happened
│   ├── InFlight               this effect may be happening, or may have
│   ├── LimitExceeded          a limit was used up
│   ├── FactsOutdated          another effect came after the facts of the decision
│   └── ReceiptStateError      the receipt is not in a state that takes this
├── ErasureHeld                a legal hold forbids to erase this person
├── ReconciliationError
│   ├── ReconciliationClosed   it was answered, or the system of record answered meanwhile
│   ├── ReconcilerLacksRole    role or action
│   └── OutcomeUnclear         an answer without its result, or without a reason
├── Overloaded                 too much waits; nothing was taken
├── PolicyLifeError
│   ├── PolicyNotReady         a step of a policy version's life is missing
│   └── SecondPersonNeeded     whoever drafted it can't approve it, nor a lower role
└── KnowledgeError
    ├── EmbedderMismatch       the index holds vectors of another embedder
    └── IndexMissing           the database has no table for vectors
"""

from datetime import datetime
from pathlib import Path


class CaseMemoryError(Exception):
    """Base of everything that memory raises on purpose."""


class StoreError(CaseMemoryError):
    """The database as a whole."""


class DataDirectoryHeld(StoreError):
    """Another process works on this data directory."""

    def __init__(self, data_dir: Path, *, pid: int | None, url: str | None) -> None:
        holder = f"process {pid}" if pid else "another process"
        hint = f"; talk to it at {url}" if url else "; stop it or choose another data directory"
        super().__init__(f"{data_dir} is in use by {holder}{hint}.")
        self.data_dir = data_dir
        self.pid = pid
        self.url = url


class StoreClosed(StoreError):
    """The store was closed."""

    def __init__(self) -> None:
        super().__init__("The store is closed. Open it again before you write or read.")


class StoreUnavailable(StoreError):
    """The database refused; nothing of this write was stored."""

    def __init__(self) -> None:
        super().__init__("The database refused this write and nothing of it was stored. Check disk space, then retry.")


class DatabaseUnreachable(StoreUnavailable):
    """The Postgres database can't be reached."""

    def __init__(self) -> None:
        StoreError.__init__(
            self, "The database can't be reached. Check that it runs, and CALLBOARD_DATABASE_URL: host, user, password."
        )


class WriteInDoubt(StoreError):
    """The connection broke while this was committed, and the database can't be asked whether it was."""

    def __init__(self) -> None:
        super().__init__("The database broke off while this was stored. Read before you write it again.")


class SchemaBehind(StoreError):
    """The database holds no schema of ours, or that of an earlier version."""

    def __init__(self, *, found: str | None, needed: str) -> None:
        super().__init__(
            f"The database {f'is at schema {found}' if found else 'holds nothing of Callboard'}, this version needs "
            f"schema {needed}. Run: callboard db upgrade"
        )
        self.found = found
        self.needed = needed


class SchemaAhead(StoreError):
    """The database was made, or upgraded, by a newer version of Callboard."""

    def __init__(self, *, found: str, needed: str) -> None:
        super().__init__(
            f"The database is at schema {found}, which this version, at {needed}, doesn't know. Use a newer Callboard."
        )
        self.found = found
        self.needed = needed


class WrongMasterKey(StoreError):
    """The records were made with another master key."""

    def __init__(self) -> None:
        super().__init__("The master key doesn't fit these records. Give the key they were made with.")


class FencedOut(StoreError):
    """The conversation's epoch moved; somebody else runs it now."""

    def __init__(self, conversation_id: str, *, epoch: int, current: int | None) -> None:
        super().__init__(
            f"Conversation {conversation_id} is at epoch {current}, this write carries {epoch}. "
            "Stop this turn; another worker has taken it over."
        )
        self.conversation_id = conversation_id
        self.epoch = epoch
        self.current = current


class VaultError(CaseMemoryError):
    """Sealing and unsealing."""


class KeyGone(VaultError):
    """The key was destroyed; what it sealed is forgotten."""

    def __init__(self, owner: str) -> None:
        super().__init__(f"The key of {owner} is gone. What it sealed can't be read any more.")
        self.owner = owner


class SealBroken(VaultError):
    """Sealed data was changed, or moved to another row."""

    def __init__(self, place: str) -> None:
        super().__init__(f"The sealed data at {place} doesn't open. It was changed or moved; restore it from a backup.")
        self.place = place


class RecordNotFound(CaseMemoryError):
    """No row with this id."""

    def __init__(self, kind: str, record_id: str) -> None:
        super().__init__(f"There is no {kind} {record_id}.")
        self.kind = kind
        self.record_id = record_id


class MessageConflict(CaseMemoryError):
    """A message id came again with another text."""

    def __init__(self, conversation_id: str, message_id: str) -> None:
        super().__init__(
            f"Message {message_id} of conversation {conversation_id} is known with another text. Send a new message id."
        )
        self.conversation_id = conversation_id
        self.message_id = message_id


class CustomerConflict(CaseMemoryError):
    """A conversation is bound to another customer."""

    def __init__(self, conversation_id: str) -> None:
        super().__init__(f"Conversation {conversation_id} belongs to another customer. Open a new conversation.")
        self.conversation_id = conversation_id


class EvidenceSpent(CaseMemoryError):
    """A confirmation was used before."""

    def __init__(self, evidence_id: str) -> None:
        super().__init__(f"Evidence {evidence_id} was spent before. Ask the customer to confirm again.")
        self.evidence_id = evidence_id


class ApprovalError(CaseMemoryError):
    """A refused answer to an approval. The approval is exactly as it was."""

    def __init__(self, approval_id: str, message: str) -> None:
        super().__init__(message)
        self.approval_id = approval_id


class ApprovalNotFound(ApprovalError):
    """No approval with this id."""

    def __init__(self, approval_id: str) -> None:
        super().__init__(approval_id, f"There is no approval {approval_id}.")


class ApprovalClosed(ApprovalError):
    """The approval is not in a state that takes this."""

    def __init__(self, approval_id: str, *, status: str) -> None:
        super().__init__(approval_id, f"Approval {approval_id} is {status}. Nothing can be decided on it any more.")
        self.status = status


class ApprovalExpired(ApprovalError):
    """The time to answer is over."""

    def __init__(self, approval_id: str) -> None:
        super().__init__(
            approval_id, f"Approval {approval_id} has expired. Its fallback applies; act on the case instead."
        )


class ApprovalChanged(ApprovalError):
    """The answer was given to another version than the one that stands."""

    def __init__(self, approval_id: str, *, version: int, current: int) -> None:
        super().__init__(
            approval_id,
            f"Approval {approval_id} has changed (version {current}, the answer was for {version}). Read it again.",
        )
        self.version = version
        self.current = current


class ApprovalClaimed(ApprovalError):
    """Somebody else has claimed the approval and is at it."""

    def __init__(self, approval_id: str, *, by: str, until: datetime) -> None:
        super().__init__(
            approval_id,
            f"Approval {approval_id} is claimed by {by} until {until.isoformat(timespec='seconds')}. "
            "Wait until it is released or the claim has ended.",
        )
        self.by = by
        self.until = until


class NotClaimed(ApprovalError):
    """The claim to renew or to release is not yours."""

    def __init__(self, approval_id: str) -> None:
        super().__init__(approval_id, f"You hold no claim on approval {approval_id}. Claim it first.")


class NotAuthorised(ApprovalError):
    """The reviewer's role is too low."""

    def __init__(self, approval_id: str, *, needed: str, role: str) -> None:
        super().__init__(approval_id, f"Approval {approval_id} needs the role {needed}; yours is {role}. Pass it on.")
        self.needed = needed
        self.role = role


class ActionNotYours(ApprovalError):
    """The reviewer may not decide on this action."""

    def __init__(self, approval_id: str, *, tool: str) -> None:
        super().__init__(
            approval_id, f"Approval {approval_id} is about {tool}, which isn't yours to decide. Pass it on."
        )
        self.tool = tool


class AboveLimit(ApprovalError):
    """The amount is over the reviewer's limit."""

    def __init__(self, approval_id: str, *, amount_minor: int, currency: str, limit_minor: int | None) -> None:
        limit = "no limit in that currency" if limit_minor is None else f"a limit of {limit_minor}"
        super().__init__(
            approval_id,
            f"Approval {approval_id} moves {amount_minor} {currency} (minor units) and you have {limit}. Pass it on.",
        )
        self.amount_minor = amount_minor
        self.currency = currency
        self.limit_minor = limit_minor


class OwnRequest(ApprovalError):
    """Four eyes: nobody approves what they asked for."""

    def __init__(self, approval_id: str) -> None:
        super().__init__(approval_id, f"Approval {approval_id} is about your own request. Somebody else must decide.")


class AlreadyVoted(ApprovalError):
    """Two approvals need two people."""

    def __init__(self, approval_id: str) -> None:
        super().__init__(approval_id, f"You have voted on approval {approval_id} already. It needs another person too.")


class JustificationMissing(ApprovalError):
    """A reject, a response, or a withdrawal on somebody's behalf needs words."""

    def __init__(self, approval_id: str, *, answer: str) -> None:
        super().__init__(approval_id, f"To {answer} approval {approval_id}, write a message that says why.")
        self.answer = answer


class NotOfConversation(ApprovalError):
    """A withdrawal for a customer names the conversation that the approval belongs to."""

    def __init__(self, approval_id: str) -> None:
        super().__init__(
            approval_id, f"Approval {approval_id} doesn't belong to the conversation given. Name the one it waits in."
        )


class ToolSwitched(ApprovalError):
    """An edit may change arguments, never the tool."""

    def __init__(self, approval_id: str, *, tool: str, edited: str) -> None:
        super().__init__(
            approval_id,
            f"Approval {approval_id} is about {tool}; an edit can't make it {edited}. Reject it and say what to do.",
        )
        self.tool = tool
        self.edited = edited


class ReceiptError(CaseMemoryError):
    """The ledger."""


class AlreadyDone(ReceiptError):
    """This effect has happened. Carries the receipt that says so, as `receipt`."""

    def __init__(self, receipt: object, *, receipt_id: str) -> None:
        super().__init__(f"This effect has happened already (receipt {receipt_id}). Report it; don't repeat it.")
        self.receipt = receipt
        self.receipt_id = receipt_id


class InFlight(ReceiptError):
    """This effect may be happening, or may have happened. Carries its receipt, as `receipt`."""

    def __init__(self, receipt: object, *, receipt_id: str, state: str) -> None:
        super().__init__(f"This effect is in flight (receipt {receipt_id}, {state}). Wait for it, or reconcile it.")
        self.receipt = receipt
        self.receipt_id = receipt_id
        self.state = state


class LimitExceeded(ReceiptError):
    """A limit was used up, perhaps a moment ago by another channel."""

    def __init__(self, *, limit: str, key: str) -> None:
        super().__init__(f"The limit {limit} is used up. Decide again with what was used since.")
        self.limit = limit
        self.key = key


class FactsOutdated(ReceiptError):
    """Another effect for this customer is being made, or was made, after the facts of the decision were read."""

    def __init__(self) -> None:
        super().__init__("Another effect for this customer came after the facts were read. Read them and decide again.")


class ReceiptStateError(ReceiptError):
    """The receipt is not in a state that takes this."""

    def __init__(self, receipt_id: str, *, state: str, wanted: str) -> None:
        super().__init__(f"Receipt {receipt_id} is {state} and can't become {wanted}. Read it again.")
        self.receipt_id = receipt_id
        self.state = state
        self.wanted = wanted


class ErasureHeld(CaseMemoryError):
    """A legal hold forbids to erase this person."""

    def __init__(self, hold_id: str, *, reference: str) -> None:
        super().__init__(
            f"Legal hold {hold_id} ({reference}) forbids it. Release the hold first, if it may be released."
        )
        self.hold_id = hold_id
        self.reference = reference


class ReconciliationError(CaseMemoryError):
    """A refused answer about an effect whose outcome is unknown. The item is exactly as it was."""

    def __init__(self, reconciliation_id: str, message: str) -> None:
        super().__init__(message)
        self.reconciliation_id = reconciliation_id


class ReconciliationClosed(ReconciliationError):
    """It was answered before, or the system of record has answered meanwhile."""

    def __init__(self, reconciliation_id: str, *, status: str) -> None:
        super().__init__(reconciliation_id, f"{reconciliation_id} is settled ({status}). Read the receipt instead.")
        self.status = status


class ReconcilerLacksRole(ReconciliationError):
    """The role is too low, or the action isn't theirs."""

    def __init__(self, reconciliation_id: str, *, needed: str, role: str) -> None:
        super().__init__(
            reconciliation_id, f"{reconciliation_id} needs the role {needed} for this action; yours is {role}."
        )
        self.needed = needed
        self.role = role


class OutcomeUnclear(ReconciliationError):
    """An answer that says that it happened without its result, or anything without how that is known."""

    def __init__(self, reconciliation_id: str, *, lacks: str) -> None:
        super().__init__(
            reconciliation_id, f"The answer to {reconciliation_id} lacks {lacks}. Say it and send it again."
        )
        self.lacks = lacks


class Overloaded(CaseMemoryError):
    """Too much waits; the message was not taken, and nothing that was is lost."""

    def __init__(self, *, scope: str, waiting: int, limit: int, retry_after_s: int) -> None:
        where = "in this conversation" if scope == "conversation" else "in all"
        super().__init__(
            f"{waiting} messages wait {where}, and {limit} are the most. "
            f"Send this one again in {retry_after_s} s, under the same id."
        )
        self.scope = scope
        self.waiting = waiting
        self.limit = limit
        self.retry_after_s = retry_after_s


class PolicyLifeError(CaseMemoryError):
    """A policy version's way into force."""


class PolicyNotReady(PolicyLifeError):
    """A step of a policy version's life is missing."""

    def __init__(self, version: str, *, needs: str, command: str) -> None:
        super().__init__(f"Policy {version[:12]} needs {needs} first: callboard policy {command}.")
        self.version = version
        self.needs = needs


class SecondPersonNeeded(PolicyLifeError):
    """A policy version is approved by somebody else than who drafted it."""

    def __init__(self, version: str, *, role: str) -> None:
        super().__init__(
            f"Policy {version[:12]} must be approved by somebody who didn't draft it and is at least {role}."
        )
        self.version = version
        self.role = role


class KnowledgeError(CaseMemoryError):
    """Knowledge and its index."""


class EmbedderMismatch(KnowledgeError):
    """The index holds vectors of another embedder."""

    def __init__(self, *, stored: str, given: str) -> None:
        super().__init__(f"The index was made by {stored}, not by {given}. Rebuild it with the embedder you want.")
        self.stored = stored
        self.given = given


class IndexMissing(KnowledgeError):
    """The database has no table for vectors."""

    def __init__(self) -> None:
        super().__init__("The database has no table for vectors. Install pgvector there, then: callboard db upgrade")
