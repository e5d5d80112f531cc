"""What a file for a spreadsheet must be guarded against. It writes none."""
