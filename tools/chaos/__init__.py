"""Harm a running suite at random (processes, disk, journal, clocks) and prove that nothing was lost or billed twice."""
