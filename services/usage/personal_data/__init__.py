"""What the export of a person's data has of usage: notices, reports, and what was found and said of their usage."""
