"""The journal piece by piece: frames, segments, marks, quarantine, readers."""
