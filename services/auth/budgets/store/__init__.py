"""The SQL of `budgets`, `organizations` and `organization_members`."""
