"""Small tested programs that `make` calls; nothing here runs in production."""
