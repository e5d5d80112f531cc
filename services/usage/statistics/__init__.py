"""Statistics: answers questions about the usage rows in figures. Knows no SQL, writes nothing."""
