"""What a value of release 1.0 becomes: one file for each kind of value. No I/O; nothing is guessed."""
