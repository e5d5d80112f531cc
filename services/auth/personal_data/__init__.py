"""What the export of a person's data has of auth beside the account: what happened to their credentials."""
