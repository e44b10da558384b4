"""Faults: processes killed at chosen points, full disks, odd environments (`make faults`)."""
