"""What a value of 1.0 means, by the table of docs/migration/inspect.md. None: nobody but a person can say."""
