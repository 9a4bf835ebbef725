"""Breaking a lock as a transaction: plan, check, execute, watch, undo; leftovers in bulk; an audit trail.

    audit = Audit.open(audit_path())
    plan = make_plan(store, snapshot, key, tracks=watch.tracks)        # pure; what would follow, in words
    checks = preconditions(store, plan, snapshot)                      # as often as a dialog likes
    writer = Writer(store, audit)                                      # ReadOnly, if the store is
    broken = execute(writer, plan.order, reason="node is gone")        # Refused, Failed
    vigil = vigil_of(broken, snapshot)                                 # vigil.look(snapshot) each poll, or
    vigil = follow(store, vigil)                                       # wait for 75 s
    record_fate(writer, vigil, broken.id)
    undo(writer, broken.id)

After a start, `unfinished` tells of transactions that were killed; `finish` and `take_back` end them.
"""

from __future__ import annotations

from backuplock.breaking.again import check_dead
from backuplock.breaking.audit import Audit, AuditEntry, Verified
from backuplock.breaking.audit_file import audit_path
from backuplock.breaking.bulk import MOST, Result, execute_all
from backuplock.breaking.checks import Check, preconditions
from backuplock.breaking.cleanup import Done, Report, clean_up
from backuplock.breaking.errors import AuditError, Because, BreakError, Failed, Refused
from backuplock.breaking.execute import Broken, execute
from backuplock.breaking.interrupted import Stage, Unfinished, unfinished
from backuplock.breaking.leftovers import CleanupPlan, Item, Kind, plan_cleanup
from backuplock.breaking.plan import Order, Outlook, Plan, make_plan
from backuplock.breaking.promises import Window, promises, window_of
from backuplock.breaking.purge import Copy, copies, purge
from backuplock.breaking.quarantine import Kept
from backuplock.breaking.recover import finish, take_back
from backuplock.breaking.token import Token, token_of
from backuplock.breaking.undo import Undone, undo
from backuplock.breaking.vigil import Fate, Vigil, follow, record_fate, told_apart, vigil_of
from backuplock.breaking.way import check_way
from backuplock.breaking.writer import Step, Who, Writer, who_here

__all__ = [
    "MOST",
    "Audit",
    "AuditEntry",
    "AuditError",
    "Because",
    "BreakError",
    "Broken",
    "Check",
    "CleanupPlan",
    "Copy",
    "Done",
    "Failed",
    "Fate",
    "Item",
    "Kept",
    "Kind",
    "Order",
    "Outlook",
    "Plan",
    "Refused",
    "Report",
    "Result",
    "Stage",
    "Step",
    "Token",
    "Undone",
    "Unfinished",
    "Verified",
    "Vigil",
    "Who",
    "Window",
    "Writer",
    "audit_path",
    "check_dead",
    "check_way",
    "clean_up",
    "copies",
    "execute",
    "execute_all",
    "finish",
    "follow",
    "make_plan",
    "plan_cleanup",
    "preconditions",
    "promises",
    "purge",
    "record_fate",
    "take_back",
    "token_of",
    "told_apart",
    "undo",
    "unfinished",
    "vigil_of",
    "who_here",
    "window_of",
]
