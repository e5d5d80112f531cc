"""What every store of usage must do, whatever keeps the rows: point `conftest.STORES` at another one to prove it."""
