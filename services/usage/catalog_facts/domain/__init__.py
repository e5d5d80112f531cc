"""Facts about models and what tokens cost by them. No I/O."""
