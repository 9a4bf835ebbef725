"""What a store gives and lacks for locks: examined by looking and, where writing is allowed, by trying."""

from backuplock.doctor.checks import Check, Grade
from backuplock.doctor.examine import Diagnosis, examine

__all__ = ["Check", "Diagnosis", "Grade", "examine"]
