"""Values of administration: pages of accounts and results of audit log checks."""
