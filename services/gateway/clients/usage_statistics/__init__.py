"""Statistics of the usage service: questions, answers, and the client that asks. It decides nothing."""
