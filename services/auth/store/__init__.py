"""All SQL of auth, one file for each group of tables; rows become domain values here."""
