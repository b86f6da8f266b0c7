"""What went wrong in the month: the times and addresses that the planted incidents share. README.md tells the story."""

from __future__ import annotations

from datetime import date

from sample_data.month import at

# Caleb Whitaker's night, two days before his last one.
CALEB_UNKNOWN_ADDRESS = "192.0.2.214"
CONTACTS_EXPORTED = at(21, "23:38:09")
CONTACTS_DELETED = at(21, "23:52:31")
PARTS_DELETED = at(22, "00:26:44")
ACCESS_WITHDRAWN = at(23, "17:06:20")

QUOTE_LATER_RAISED = at(14, "10:20")
QUOTE_RAISED = at(19, "16:11:37")
FORGOTTEN_INVOICE = "INV-2217"

LOGGING_OFF = at(13, "12:14:08")
LOGGING_ON = at(13, "15:46:51")
SECRET_CHANGED = at(15, "14:21:30")
IMPERSONATION = at(16, "10:40:12")
SUPPORT_ADDRESS = "203.0.113.201"

FAILING_NIGHTS = frozenset(date(2026, 10, day) for day in range(14, 19))
SYNC_MENDED = at(19, "11:05:42")

PERMISSION_WIDENED = at(28, "02:14:03")
PERMISSION_REVERTED = at(29, "09:41:55")
THEO_UNKNOWN_ADDRESS = "192.0.2.77"

EXPORT_WITHOUT_APPROVAL = at(9, "12:35")
EXPORT_MARKED_WRONGLY = at(22, "10:00")
SILENT_DAY = date(2026, 10, 27)
