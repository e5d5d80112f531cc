"""Auth's part of a personal data export beside the account: the history of the user's credentials."""
