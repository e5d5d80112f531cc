"""Statistics: a question to the usage rows and its answer in figures. Knows no SQL, writes nothing."""
