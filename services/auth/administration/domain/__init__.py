"""What a page of people and a check of the audit log are."""
