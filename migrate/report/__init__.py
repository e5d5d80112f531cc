"""What a run leaves behind for an auditor: files of lines, and a summary. Knows no database."""
