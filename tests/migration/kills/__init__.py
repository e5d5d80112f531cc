"""SIGKILL for the tool and for PostgreSQL while a source moves, and the checker's word on what is there in the end."""
