"""The SQL of reports: the snapshot they are made from, and the tables they are kept in."""
