"""What each service keeps of a person, for the export of their data."""
