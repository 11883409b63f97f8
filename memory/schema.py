"""All tables of memory in one place, for whoever creates or migrates them."""

from memory import (
    api_keys,
    approvals,
    audit,
    cases,
    conversations,
    customers,
    erasure,
    evidence,
    guards,
    handoffs,
    inbox,
    knowledge,
    limit_uses,
    model_usage,
    outbox,
    policy_versions,
    readings,
    receipts,
    requests,
    signing,
    snapshots,
    timeline,
    turns,
    vault,
)
from memory.rows import Row

METADATA = Row.metadata

MODULES = (
    api_keys,
    approvals,
    audit,
    cases,
    conversations,
    customers,
    erasure,
    evidence,
    guards,
    handoffs,
    inbox,
    knowledge,
    limit_uses,
    model_usage,
    outbox,
    policy_versions,
    readings,
    receipts,
    requests,
    signing,
    snapshots,
    timeline,
    turns,
    vault,
)
"""The modules that declare tables; importing them is what fills the metadata."""
